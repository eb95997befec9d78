// {{pascal}} is a scaler for Windlass: the number at a place in a JSON document.
#include "windlass.h"

// What users write.
typedef struct {
  windlass_url url;
  const char *value_location;
  double target_value, activation_target_value;
  windlass_sealed token;
} parameters_t;

static const windlass_parameter parameters[] = {
  {.name = "url", .shape = WINDLASS_URL, .offset = offsetof(parameters_t, url), .required = true,
   .from = WINDLASS_METADATA | WINDLASS_ENVIRONMENT,
   .doc = "Address that answers with JSON, for instance http://queues.shop:8080/depth."},
  {.name = "valueLocation", .shape = WINDLASS_TEXT, .offset = offsetof(parameters_t, value_location), .initial = "value",
   .doc = "Where the number is: a dotted path, a number is an index into an array, for instance queues.0.length."},
  {.name = "targetValue", .shape = WINDLASS_NUMBER, .offset = offsetof(parameters_t, target_value), .initial = "5",
   .doc = "Value per replica."},
  {.name = "activationTargetValue", .shape = WINDLASS_NUMBER, .offset = offsetof(parameters_t, activation_target_value),
   .initial = "0", .doc = "The workload is active above this value."},
  {.name = "token", .shape = WINDLASS_TEXT, .offset = offsetof(parameters_t, token), .secrecy = WINDLASS_SEALED,
   .from = WINDLASS_AUTHENTICATION, .doc = "Sent as bearer token."},
};

// Makes a plan of what a user wrote.
static void configure(windlass_plan *plan, const void *written) {
  const parameters_t *own = written;
  if (!(own->target_value > 0)) {
    windlass_problem(plan, "targetValue", "must be greater than zero");
    return;
  }
  windlass_metric(plan, own->target_value, own->activation_target_value, "{{name}}-%s", own->value_location);
  windlass_endpoint_url(plan, &own->url);
}

// Says what to send. What all queries of a batch ask leaves together.
static void ask(windlass_query *query, const void *written) {
  const parameters_t *own = written;
  windlass_request *request = windlass_get(query, own->url.target);
  windlass_header(request, "accept", "application/json");
  if (own->token != NULL) windlass_bearer(request, own->token);
}

// Is given the answers, and tells the outcome.
static void answer(windlass_query *query, const void *written, windlass_response *const *responses, size_t count) {
  const parameters_t *own = written;
  (void)count;  // One request, one response.
  const windlass_json *document = windlass_json_parse(&query->arena, responses[0]->body, responses[0]->length);
  if (document == NULL) {
    windlass_fail(query, WINDLASS_BAD_RESPONSE, "the answer is not JSON");
    return;
  }
  const windlass_json *found = windlass_json_at(document, own->value_location);
  double value;
  if (found == NULL) {
    windlass_fail(query, WINDLASS_BAD_RESPONSE, "valueLocation: \"%s\" is not in the answer", own->value_location);
  } else if (!windlass_json_number(found, &value)) {
    windlass_fail(query, WINDLASS_BAD_RESPONSE, "valueLocation: \"%s\" is not a number", own->value_location);
  } else {
    windlass_value(query, value);
  }
}

const windlass_scaler windlass_scaler_exported = {
  .name = "{{name}}",
  .version = "0.1.0",
  .parameters = parameters,
  .parameter_count = sizeof parameters / sizeof *parameters,
  .size = sizeof(parameters_t),
  .configure = configure,
  .ask = ask,
  .answer = answer,
};
