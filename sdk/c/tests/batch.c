// Batches over HTTP.
#include "check.h"
#include <stdlib.h>

typedef struct {
  const char *mode;
} parameters_t;

static const windlass_parameter parameters[] = {{.name = "mode", .offset = offsetof(parameters_t, mode)}};

static void configure(windlass_plan *plan, const void *written) { (void)plan, (void)written; }

static void ask(windlass_query *query, const void *written) {
  const char *mode = ((const parameters_t *)written)->mode;
  if (strcmp(mode, "silent") == 0) return;
  if (strcmp(mode, "fail") == 0) {
    windlass_fail(query, WINDLASS_INVALID, "cannot %s", "work");
    windlass_value(query, 1);  // The first counts.
    return;
  }
  if (strcmp(mode, "two") == 0) windlass_get(query, "/second");
  windlass_request *request = windlass_get(query, mode[0] == '/' ? mode : "/first");
  request->any_status = strcmp(mode, "/any") == 0;
}

static void answer(windlass_query *query, const void *written, windlass_response *const *responses, size_t count) {
  const char *mode = ((const parameters_t *)written)->mode;
  double length = 0;
  for (size_t i = 0; i < count; i++) length = length * 100 + (double)responses[i]->length;
  if (strcmp(mode, "/again") == 0) {
    windlass_get(query, responses[0]->body);
  } else if (strcmp(mode, "/rounds") == 0 && query->round == 0) {
    // The body is good for as long as the query is.
    windlass_get(query, responses[0]->body);
  } else if (strcmp(mode, "/pending") == 0) {
    windlass_pending(query, 1000, "s", 1);
  } else if (strcmp(mode, "/any") != 0 || windlass_check(query, responses[0])) {
    windlass_value(query, length);
  }
}

static const windlass_scaler scaler = {
  .name = "test", .version = "1", .parameters = parameters, .parameter_count = 1, .size = sizeof(parameters_t),
  .configure = configure, .ask = ask, .answer = answer,
};

static void poll(const char *const *modes, size_t count) {
  windlass_asked *queries = calloc(count, sizeof *queries);
  windlass_set *values = calloc(count, sizeof *values);
  for (size_t i = 0; i < count; i++) {
    values[i] = (windlass_set){"mode", modes[i]};
    queries[i].trigger = (windlass_trigger){"test", &values[i], 1};
  }
  windlass_batch batch = {0, 5000, queries, count};
  windlass_poll(&scaler, &batch);
  free(queries);
  free(values);
}

static void troubles(void) {
  windlass_script *script = begin_script(
    "[{\"request\":\"GET /first\",\"body\":\"1234\"},{\"request\":\"GET /second\",\"body\":\"12\"},"
    "{\"request\":\"GET /good\",\"body\":\"12345\"},{\"request\":\"GET /rounds\",\"body\":\"/next\"},{\"request\":\"GET /next\",\"body\":\"1\"},"
    "{\"request\":\"GET /401\",\"status\":401,\"body\":\"who\\n  are you?\"},{\"request\":\"GET /any\",\"status\":503,\"answer_headers\":{\"retry-after\":\"7\"}},"
    "{\"request\":\"GET /pending\"}]");
  static const char *const modes[] = {"two", "fail", "/good", "silent", "/rounds", "/401", "/unknown", "/any", "/pending"};
  static const char *const expected[] = {
    "204", "invalid: cannot work", "5", "internal: the scaler neither asked nor told an outcome", "1",
    "auth: answered 401: check the credentials (who are you?)", "internal: the script has no such request", "unreachable: answered 503", "pending",
  };
  poll(modes, 9);
  for (size_t i = 0; i < 9; i++) CHECK(strcmp(told(script, i), expected[i]) == 0, "%s: %s", modes[i], told(script, i));
  CHECK(script->outcomes[7].failure.retry_after_ms == 7000, "retry after %llu", (unsigned long long)script->outcomes[7].failure.retry_after_ms);
  CHECK(script->sends == 2, "%zu sends", script->sends);
  CHECK(windlass_script_left(script) == 0, "%zu left", windlass_script_left(script));
  end_script(script);
}

static void crowd(void) {
  enum { COUNT = 1000 };
  static char text[COUNT * 64], *modes[COUNT];
  size_t length = 0;
  text[length++] = '[';
  for (int i = 0; i < COUNT; i++) {
    modes[i] = malloc(16);
    snprintf(modes[i], 16, "/%d", i);
    length += (size_t)snprintf(text + length, 64, "%s{\"request\":\"GET /%d\",\"body\":\"%0*d\"}", i == 0 ? "" : ",", i, 1 + i % 9, 0);
  }
  snprintf(text + length, 2, "]");
  windlass_script *script = begin_script(text);
  poll((const char *const *)modes, COUNT);
  for (int i = 0; i < COUNT; i++) CHECK(script->told[i] == 1 && script->outcomes[i].values[0] == 1 + i % 9, "%d: %s", i, told(script, (size_t)i));
  CHECK(script->sends == 1, "%zu sends", script->sends);
  end_script(script);
  for (int i = 0; i < COUNT; i++) free(modes[i]);
}

static void without_end(void) {
  windlass_script *script = begin_script(
    "[{\"request\":\"GET /again\",\"body\":\"/again\"},{\"request\":\"GET /again\",\"body\":\"/again\"},{\"request\":\"GET /again\",\"body\":\"/again\"},"
    "{\"request\":\"GET /again\",\"body\":\"/again\"},{\"request\":\"GET /again\",\"body\":\"/again\"},{\"request\":\"GET /again\",\"body\":\"/again\"},"
    "{\"request\":\"GET /again\",\"body\":\"/again\"},{\"request\":\"GET /again\",\"body\":\"/again\"},{\"request\":\"GET /again\",\"body\":\"/again\"}]");
  static const char *const modes[] = {"/again"};
  poll(modes, 1);
  CHECK(strcmp(told(script, 0), "internal: asks for more after 8 rounds") == 0, "%s", told(script, 0));
  end_script(script);
}

void test_batch(void) {
  troubles();
  crowd();
  without_end();
}
