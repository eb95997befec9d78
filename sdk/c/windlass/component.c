// The contract's exports, for the scaler that is linked with this. What is returned is freed by the bindings, so it is copied.
#include "bindings/scaler.h"
#include "host.h"
#include <stdlib.h>
#include <string.h>

static const windlass_scaler *const scaler = &windlass_scaler_exported;

static void *zeroed(size_t count, size_t size) {
  void *memory = calloc(count + 1, size);
  if (memory == NULL) abort();
  return memory;
}

static scaler_string_t text(const char *from) {
  scaler_string_t copy = {0};
  if (from != NULL && *from != 0) scaler_string_dup(&copy, from);
  return copy;
}

static scaler_option_string_t some(const char *from) {
  return (scaler_option_string_t){from != NULL, text(from)};
}

static scaler_list_string_t texts(const char *const *from) {
  size_t count = 0;
  while (from != NULL && from[count] != NULL) count++;
  scaler_list_string_t list = {zeroed(count, sizeof(scaler_string_t)), count};
  for (size_t i = 0; i < count; i++) list.ptr[i] = text(from[i]);
  return list;
}

void exports_windlass_scaler_polled_describe(exports_windlass_scaler_polled_info_t *info) {
  const char *const own[] = {scaler->name, NULL};
  memset(info, 0, sizeof *info);
  info->name = text(scaler->name);
  info->version = text(scaler->version);
  info->triggers = texts(scaler->triggers != NULL ? scaler->triggers : own);
  info->needs = texts(scaler->needs);
  info->parameters.len = scaler->parameter_count;
  info->parameters.ptr = zeroed(scaler->parameter_count, sizeof *info->parameters.ptr);
  for (size_t i = 0; i < scaler->parameter_count; i++) {
    const windlass_parameter *from = &scaler->parameters[i];
    windlass_scaler_types_parameter_t *to = &info->parameters.ptr[i];
    to->name = text(from->name);
    to->aliases = texts(from->aliases);
    to->shape = (uint8_t)from->shape;
    to->required = from->required;
    to->initial = some(from->initial);
    to->choices = texts(from->choices);
    to->secrecy = (uint8_t)from->secrecy;
    to->origin = from->from != 0 ? from->from : WINDLASS_METADATA;
    to->deprecated = some(from->deprecated);
    to->doc = text(from->doc);
  }
}

// A trigger as the SDK has it; all of it is in the arena.
static windlass_trigger trigger_of(windlass_arena *arena, const windlass_scaler_types_trigger_t *from) {
  windlass_set *values = windlass_alloc(arena, from->values.len * sizeof *values);
  for (size_t i = 0; i < from->values.len; i++) {
    const windlass_scaler_types_value_t *value = &from->values.ptr[i];
    values[i].name = windlass_copy(arena, value->name.ptr, value->name.len);
    if (value->text.is_some) values[i].text = windlass_copy(arena, value->text.val.ptr, value->text.val.len);
  }
  return (windlass_trigger){windlass_copy(arena, from->kind.ptr, from->kind.len), values, from->values.len};
}

static void endpoint_to(const windlass_plan_endpoint *from, windlass_scaler_types_endpoint_t *to) {
  to->parameter = some(from->parameter);
  to->host = text(from->host);
  to->port = from->port;
  to->tls.is_some = from->secure;
  if (!from->secure) return;
  windlass_scaler_types_tls_t *tls = &to->tls.val;
  tls->upgrade = from->tls.upgrade;
  tls->verify = !from->tls.insecure;
  tls->server_name = some(from->tls.server_name);
  tls->ca = some(from->tls.ca);
  tls->certificate = some(from->tls.certificate);
  tls->key = some(from->tls.key);
  tls->key_password = some(from->tls.key_password);
}

static void answer_to(const windlass_plan *plan, exports_windlass_scaler_polled_result_plan_list_problem_t *answer) {
  answer->is_err = plan->problem_count > 0;
  if (answer->is_err) {
    exports_windlass_scaler_polled_problem_t *problems = zeroed(plan->problem_count, sizeof *problems);
    for (size_t i = 0; i < plan->problem_count; i++) {
      problems[i].parameter = some(plan->problems[i].parameter);
      problems[i].message = text(plan->problems[i].message);
    }
    answer->val.err = (exports_windlass_scaler_polled_list_problem_t){problems, plan->problem_count};
    return;
  }
  windlass_scaler_types_plan_t *to = &answer->val.ok;
  windlass_scaler_types_metric_t *metrics = zeroed(plan->metric_count, sizeof *metrics);
  for (size_t i = 0; i < plan->metric_count; i++) {
    const windlass_plan_metric *metric = &plan->metrics[i];
    metrics[i] = (windlass_scaler_types_metric_t){text(metric->name), metric->target, metric->activation};
  }
  to->metrics.tag = WINDLASS_SCALER_TYPES_METRICS_FIXED;
  to->metrics.val.fixed = (windlass_scaler_types_list_metric_t){metrics, plan->metric_count};
  to->endpoints.len = plan->endpoint_count;
  to->endpoints.ptr = zeroed(plan->endpoint_count, sizeof *to->endpoints.ptr);
  for (size_t i = 0; i < plan->endpoint_count; i++) endpoint_to(&plan->endpoints[i], &to->endpoints.ptr[i]);
  to->group = text(plan->group);
  to->requests = (uint32_t)plan->endpoint_count;
}

void exports_windlass_scaler_polled_configure(exports_windlass_scaler_polled_list_trigger_t *triggers,
                                              exports_windlass_scaler_polled_list_result_plan_list_problem_t *answers) {
  answers->len = triggers->len;
  answers->ptr = zeroed(triggers->len, sizeof *answers->ptr);
  windlass_plan *plan = zeroed(1, sizeof *plan);
  for (size_t i = 0; i < triggers->len; i++) {
    memset(plan, 0, sizeof *plan);
    windlass_trigger trigger = trigger_of(&plan->arena, &triggers->ptr[i]);
    windlass_configure(scaler, &trigger, plan);
    answer_to(plan, &answers->ptr[i]);
    windlass_free(&plan->arena);
  }
  free(plan);
}

void exports_windlass_scaler_polled_poll(exports_windlass_scaler_polled_batch_t *batch) {
  windlass_arena arena = {0};
  size_t count = batch->queries.len;
  windlass_asked *queries = windlass_alloc(&arena, count * sizeof *queries);
  for (size_t i = 0; i < count; i++) {
    const windlass_scaler_types_query_t *query = &batch->queries.ptr[i];
    queries[i] = (windlass_asked){trigger_of(&arena, &query->trigger), query->state.ptr, query->state.len};
  }
  windlass_batch asked = {batch->now_ms, batch->budget_ms, queries, count};
  windlass_poll(scaler, &asked);
  windlass_free(&arena);
}
