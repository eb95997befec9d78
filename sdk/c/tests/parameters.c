// Parameters of every type, and what is wrong with them.
#include "check.h"

typedef struct {
  const char *text;
  int64_t count;
  double number;
  bool flag;
  uint64_t wait;
  windlass_url url;
  windlass_address address;
  windlass_sealed token;
} parameters_t;

#define AT(member) offsetof(parameters_t, member)
static const char *const aliases[] = {"txt", NULL}, *const choices[] = {"a", "b", NULL};
static const windlass_parameter parameters[] = {
  {.name = "text", .offset = AT(text), .required = true, .aliases = aliases, .choices = choices},
  {.name = "count", .shape = WINDLASS_INTEGER, .offset = AT(count), .initial = "-3"},
  {.name = "number", .shape = WINDLASS_NUMBER, .offset = AT(number)},
  {.name = "flag", .shape = WINDLASS_BOOLEAN, .offset = AT(flag)},
  {.name = "wait", .shape = WINDLASS_DURATION, .offset = AT(wait), .initial = "1m30s"},
  {.name = "url", .shape = WINDLASS_URL, .offset = AT(url)},
  {.name = "address", .shape = WINDLASS_ADDRESS, .offset = AT(address)},
  {.name = "token", .offset = AT(token), .secrecy = WINDLASS_SEALED, .from = WINDLASS_AUTHENTICATION},
};

static parameters_t found;

static void configure(windlass_plan *plan, const void *written) {
  found = *(const parameters_t *)written;
  if (found.url.parameter != NULL) windlass_endpoint_url(plan, &found.url);
  if (found.address.parameter != NULL) windlass_endpoint_address(plan, &found.address);
  windlass_metric(plan, 1, 0, "a/%s.c:%%(d)", found.text);
}

static const windlass_scaler scaler = {
  .name = "test", .version = "1", .parameters = parameters, .parameter_count = sizeof parameters / sizeof *parameters,
  .size = sizeof(parameters_t), .configure = configure,
};

static void configured(windlass_plan *plan, const char *metadata) {
  const windlass_json *document = windlass_json_parse(&plan->arena, metadata, strlen(metadata));
  const windlass_json *secrets = windlass_json_parse(&plan->arena, "{\"token\":\"secret\"}", 18);
  windlass_trigger trigger = windlass_resolve(&scaler, document, secrets, plan);
  if (plan->problem_count == 0) windlass_configure(&scaler, &trigger, plan);
}

void test_parameters(void) {
  windlass_plan plan = {0};
  configured(&plan, "{\"txt\":\" a \",\"number\":\"2.5\",\"flag\":\"T\",\"url\":\"HTTPS://u:p@[::1]/x?y=z#f\",\"address\":\"redis:6379\"}");
  CHECK(plan.problem_count == 0, "%s", plan.problems[0].message);
  CHECK(strcmp(found.text, "a") == 0 && found.count == -3 && found.number == 2.5 && found.flag && found.wait == 90000, "values");
  CHECK(strcmp(found.url.scheme, "https") == 0 && strcmp(found.url.host, "::1") == 0 && strcmp(found.url.target, "/x?y=z") == 0, "url");
  CHECK(strcmp(found.address.host, "redis") == 0 && found.address.port == 6379, "address");
  CHECK(strcmp(found.token, "token") == 0, "a sealed parameter is its name");
  CHECK(plan.endpoint_count == 2 && plan.endpoints[0].port == 443 && plan.endpoints[0].secure && !plan.endpoints[1].secure, "endpoints");
  CHECK(strcmp(plan.metrics[0].name, "a-a-c---d-") == 0, "%s", plan.metrics[0].name);
  windlass_free(&plan.arena);
  static const struct { const char *metadata, *parameter, *part; } wrong[] = {
    {"{}", "text", "is required"}, {"{\"text\":\"c\"}", "text", "choices"}, {"{\"text\":\"a\",\"count\":\"x\"}", "count", "integer"},
    {"{\"text\":\"a\",\"count\":\"99999999999999999999\"}", "count", "integer"}, {"{\"text\":\"a\",\"flag\":\"maybe\"}", "flag", "neither"},
    {"{\"text\":\"a\",\"wait\":\"1 day\"}", "wait", "duration"}, {"{\"text\":\"a\",\"url\":\"queues\"}", "url", "with its scheme"},
    {"{\"text\":\"a\",\"url\":\"ftp://q\"}", "url", "neither an http nor"}, {"{\"text\":\"a\",\"url\":\"http://:80\"}", "url", "no host"},
    {"{\"text\":\"a\",\"url\":\"http://q:65536\"}", "url", "65535"}, {"{\"text\":\"a\",\"address\":\"q\"}", "address", "no port"},
    {"{\"text\":\"a\",\"address\":\"q:0\"}", "address", "65535"},
  };
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
    windlass_plan refused = {0};
    configured(&refused, wrong[i].metadata);
    const windlass_plan_problem *problem = &refused.problems[0];
    bool fits = refused.problem_count == 1 && strcmp(problem->parameter, wrong[i].parameter) == 0 && strstr(problem->message, wrong[i].part);
    CHECK(fits, "%s: %zu problems, %s", wrong[i].metadata, refused.problem_count, refused.problem_count ? problem->message : "");
    windlass_free(&refused.arena);
  }
}
