// The SDK's own tests.
#include "check.h"
#include <stdlib.h>

int checks, failures;

windlass_script *begin_script(const char *exchange) {
  windlass_script *script = calloc(1, sizeof *script);
  script->exchange = windlass_json_parse(&script->arena, exchange, strlen(exchange));
  CHECK(script->exchange != NULL, "the script is not JSON: %s", exchange);
  script->used = windlass_alloc(&script->arena, 4096);
  windlass_played = script;
  return script;
}

void end_script(windlass_script *script) {
  windlass_free(&script->arena);
  free(script);
}

const char *told(windlass_script *script, size_t query) {
  const windlass_outcome *outcome = &script->outcomes[query];
  if (script->told[query] != 1) return windlass_format(&script->arena, "told %zu times", script->told[query]);
  if (outcome->tag == WINDLASS_LATER) return "pending";
  if (outcome->tag == WINDLASS_READY) return windlass_format(&script->arena, "%g", outcome->values[0]);
  return windlass_format(&script->arena, "%s: %s", windlass_word(outcome->failure.kind), outcome->failure.message);
}

int main(void) {
  test_json();
  test_parameters();
  test_batch();
  test_tcp();
  printf("%d checks, %d failed\n", checks, failures);
  return failures == 0 && checks > 0 ? 0 : 1;
}
