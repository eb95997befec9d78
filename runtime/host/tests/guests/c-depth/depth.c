// A scaler in C against the bare contract: asks an HTTP service for `{"<field>": number}`.
//
// One send for the whole batch; each outcome is told as its answer comes. An instance lives for one call, so nothing that the
// host hands over is freed; what is returned is freed by the bindings.
#include "scaler.h"
#include <stdlib.h>
#include <string.h>

typedef windlass_scaler_types_parameter_t parameter_t;
typedef windlass_scaler_types_outcome_t outcome_t;
typedef windlass_scaler_types_failure_kind_t kind_t;
typedef exports_windlass_scaler_polled_trigger_t trigger_t;
typedef exports_windlass_scaler_polled_result_plan_list_problem_t answer_t;

// The host of a URL, its port, and its path with the query.
typedef struct {
  scaler_string_t host;
  uint16_t port;
  scaler_string_t target;
} url_t;

// wit-bindgen wants the contract's type as an object file; here it is added when the module becomes a component.
void __component_type_object_force_link_scaler(void) {}

static scaler_string_t text(const char *from) {
  scaler_string_t copy;
  scaler_string_dup(&copy, from);
  return copy;
}

static scaler_string_t piece(const uint8_t *from, size_t length) {
  scaler_string_t copy;
  scaler_string_dup_n(&copy, (const char *)from, length);
  return copy;
}

static bool same(const scaler_string_t *a, const char *b) {
  return a->len == strlen(b) && memcmp(a->ptr, b, a->len) == 0;
}

// A prefix and a text as C's own functions want them. stdio would do it as well, but imports WASI.
static const char *terminated(const char *prefix, const scaler_string_t *rest) {
  size_t length = strlen(prefix);
  char *whole = calloc(length + rest->len + 1, 1);
  memcpy(whole, prefix, length);
  memcpy(whole + length, rest->ptr, rest->len);
  return whole;
}

static const scaler_string_t *value(const trigger_t *trigger, const char *name) {
  for (size_t i = 0; i < trigger->values.len; i++) {
    const windlass_scaler_types_value_t *value = &trigger->values.ptr[i];
    if (same(&value->name, name) && value->text.is_some) return &value->text.val;
  }
  return NULL;
}

// `http://host:port/path`; brackets round an IPv6 address stay.
static bool parse_url(const scaler_string_t *written, url_t *url) {
  const char *scheme = "http://";
  size_t start = strlen(scheme), length = written->len;
  const uint8_t *at = written->ptr;
  if (length <= start || memcmp(at, scheme, start) != 0) return false;
  size_t end = start;
  while (end < length && at[end] != '/' && at[end] != '?' && at[end] != '#') end++;
  for (size_t i = start; i < end; i++) {
    if (at[i] == '@') start = i + 1;
  }
  size_t colon = end;
  for (size_t i = start; i < end; i++) {
    if (at[i] == ':') colon = i;
    if (at[i] == ']') colon = end;
  }
  unsigned long port = 80;
  if (colon < end) {
    port = 0;
    for (size_t i = colon + 1; i < end; i++) {
      if (at[i] < '0' || at[i] > '9' || port > 65535) return false;
      port = port * 10 + (at[i] - '0');
    }
  }
  if (start == colon || port == 0 || port > 65535) return false;
  url->host = piece(at + start, colon - start);
  url->port = (uint16_t)port;
  url->target = end < length && at[end] == '/' ? piece(at + end, length - end) : text("/");
  return true;
}

static parameter_t parameter(const char *name, windlass_scaler_types_shape_t shape, const char *initial, const char *doc) {
  parameter_t parameter = {0};
  parameter.name = text(name);
  parameter.shape = shape;
  parameter.required = initial == NULL;
  parameter.initial.is_some = initial != NULL;
  if (initial != NULL) parameter.initial.val = text(initial);
  parameter.origin = WINDLASS_SCALER_TYPES_ORIGIN_METADATA | WINDLASS_SCALER_TYPES_ORIGIN_ENVIRONMENT;
  parameter.doc = text(doc);
  return parameter;
}

void exports_windlass_scaler_polled_describe(exports_windlass_scaler_polled_info_t *info) {
  memset(info, 0, sizeof *info);
  info->name = text("c-depth");
  info->version = text("1.0.0");
  info->triggers.ptr = malloc(sizeof(scaler_string_t));
  info->triggers.ptr[0] = text("c-depth");
  info->triggers.len = 1;
  info->parameters.ptr = malloc(3 * sizeof(parameter_t));
  info->parameters.ptr[0] = parameter("serverAddress", WINDLASS_SCALER_TYPES_SHAPE_URL, NULL,
                                      "Address of the service, for instance http://queue.shop:8080/depth.");
  info->parameters.ptr[1] = parameter("field", WINDLASS_SCALER_TYPES_SHAPE_TEXT, "depth",
                                      "Name of the number in the answer.");
  info->parameters.ptr[2] = parameter("target", WINDLASS_SCALER_TYPES_SHAPE_NUMBER, "5", "Messages per replica.");
  info->parameters.len = 3;
}

static void problem(answer_t *answer, const char *parameter, const char *message) {
  answer->is_err = true;
  answer->val.err.len = 1;
  answer->val.err.ptr = calloc(1, sizeof(exports_windlass_scaler_polled_problem_t));
  answer->val.err.ptr[0].parameter.is_some = true;
  answer->val.err.ptr[0].parameter.val = text(parameter);
  answer->val.err.ptr[0].message = text(message);
}

static void plan(const trigger_t *trigger, answer_t *answer) {
  url_t url;
  const scaler_string_t *written = value(trigger, "serverAddress");
  const scaler_string_t *field = value(trigger, "field"), *target = value(trigger, "target");
  if (written == NULL || !parse_url(written, &url)) {
    problem(answer, "serverAddress", "is not an address of the form http://host:port/path");
    return;
  }
  if (field == NULL || target == NULL) {
    problem(answer, field == NULL ? "field" : "target", "is not set");
    return;
  }
  windlass_scaler_types_plan_t *plan = &answer->val.ok;
  plan->metrics.tag = WINDLASS_SCALER_TYPES_METRICS_FIXED;
  plan->metrics.val.fixed.len = 1;
  plan->metrics.val.fixed.ptr = calloc(1, sizeof(windlass_scaler_types_metric_t));
  plan->metrics.val.fixed.ptr[0].name = text(terminated("c-depth-", field));
  plan->metrics.val.fixed.ptr[0].target = strtod(terminated("", target), NULL);
  plan->endpoints.len = 1;
  plan->endpoints.ptr = calloc(1, sizeof(windlass_scaler_types_endpoint_t));
  plan->endpoints.ptr[0].parameter.is_some = true;
  plan->endpoints.ptr[0].parameter.val = text("serverAddress");
  plan->endpoints.ptr[0].host = url.host;
  plan->endpoints.ptr[0].port = url.port;
  plan->requests = 1;
}

void exports_windlass_scaler_polled_configure(exports_windlass_scaler_polled_list_trigger_t *triggers,
                                              exports_windlass_scaler_polled_list_result_plan_list_problem_t *answers) {
  answers->len = triggers->len;
  answers->ptr = calloc(triggers->len, sizeof(answer_t));
  for (size_t i = 0; i < triggers->len; i++) plan(&triggers->ptr[i], &answers->ptr[i]);
}

static void fail(uint32_t query, kind_t kind, const char *message) {
  outcome_t outcome = {.tag = WINDLASS_SCALER_TYPES_OUTCOME_FAILED};
  outcome.val.failed.kind = kind;
  outcome.val.failed.message = text(message);
  windlass_scaler_report_put(query, &outcome);
}

// Reads a body to its end, terminated by a zero. False: it failed, and that is told.
static bool read_all(uint32_t query, windlass_scaler_http_own_body_t body, char **all) {
  size_t length = 0;
  *all = calloc(1, 1);
  for (;;) {
    scaler_list_u8_t read;
    outcome_t outcome = {.tag = WINDLASS_SCALER_TYPES_OUTCOME_FAILED};
    if (!windlass_scaler_http_method_body_read(windlass_scaler_http_borrow_body(body), 65536, &read, &outcome.val.failed)) {
      windlass_scaler_report_put(query, &outcome);
      return false;
    }
    if (read.len == 0) return true;
    *all = realloc(*all, length + read.len + 1);
    memcpy(*all + length, read.ptr, read.len);
    length += read.len;
    (*all)[length] = 0;
    scaler_list_u8_free(&read);
  }
}

// The number of a field at the top of a JSON object, without escapes in its name.
static bool number(const char *json, const scaler_string_t *field, double *found) {
  for (const char *at = json; (at = strchr(at, '"')) != NULL; at++) {
    if (strncmp(at + 1, (const char *)field->ptr, field->len) != 0 || at[1 + field->len] != '"') continue;
    const char *rest = at + 2 + field->len;
    rest += strspn(rest, " \t\r\n");
    if (*rest++ != ':') continue;
    char *end;
    *found = strtod(rest, &end);
    return end != rest;
  }
  return false;
}

// The service asked to wait, and may have said how long: in seconds, the only form that is read here.
static void throttled(uint32_t query, const windlass_scaler_http_response_t *response) {
  outcome_t outcome = {.tag = WINDLASS_SCALER_TYPES_OUTCOME_FAILED};
  outcome.val.failed.kind = WINDLASS_SCALER_TYPES_FAILURE_KIND_THROTTLED;
  outcome.val.failed.message = text("the service asked to wait");
  for (size_t i = 0; i < response->headers.len; i++) {
    const scaler_tuple2_string_string_t *header = &response->headers.ptr[i];
    if (!same(&header->f0, "retry-after")) continue;
    outcome.val.failed.retry_after_ms.is_some = true;
    outcome.val.failed.retry_after_ms.val = strtoull(terminated("", &header->f1), NULL, 10) * 1000;
  }
  windlass_scaler_report_put(query, &outcome);
}

static void answer(uint32_t query, const trigger_t *trigger, windlass_scaler_http_response_t *response) {
  char *body;
  uint16_t status = response->status;
  if (status == 401 || status == 403) return fail(query, WINDLASS_SCALER_TYPES_FAILURE_KIND_AUTH, "the service refused");
  if (status == 404) return fail(query, WINDLASS_SCALER_TYPES_FAILURE_KIND_NOT_FOUND, "the service has no such page");
  if (status == 429) return throttled(query, response);
  if (status != 200) return fail(query, WINDLASS_SCALER_TYPES_FAILURE_KIND_UNREACHABLE, "the service did not answer 200");
  if (!read_all(query, response->body, &body)) return;
  double depth;
  if (!number(body, value(trigger, "field"), &depth)) {
    return fail(query, WINDLASS_SCALER_TYPES_FAILURE_KIND_BAD_RESPONSE, "the answer has no such number");
  }
  outcome_t outcome = {.tag = WINDLASS_SCALER_TYPES_OUTCOME_READY};
  outcome.val.ready.values.ptr = &depth;
  outcome.val.ready.values.len = 1;
  windlass_scaler_report_put(query, &outcome);
}

void exports_windlass_scaler_polled_poll(exports_windlass_scaler_polled_batch_t *batch) {
  windlass_scaler_http_list_request_t requests = {calloc(batch->queries.len, sizeof(windlass_scaler_http_request_t)), 0};
  for (size_t i = 0; i < batch->queries.len; i++) {
    const scaler_string_t *written = value(&batch->queries.ptr[i].trigger, "serverAddress");
    url_t url;
    if (written == NULL || !parse_url(written, &url)) {
      fail(i, WINDLASS_SCALER_TYPES_FAILURE_KIND_INVALID, "serverAddress is not an address");
      continue;
    }
    windlass_scaler_http_request_t *request = &requests.ptr[requests.len++];
    request->query = i;
    request->method = text("GET");
    request->target = url.target;
  }
  windlass_scaler_http_own_exchange_t exchange = windlass_scaler_http_send(&requests);
  windlass_scaler_http_tuple2_u32_result_response_failure_t told;
  while (windlass_scaler_http_method_exchange_next(windlass_scaler_http_borrow_exchange(exchange), &told)) {
    uint32_t query = requests.ptr[told.f0].query;
    if (told.f1.is_err) {
      outcome_t outcome = {.tag = WINDLASS_SCALER_TYPES_OUTCOME_FAILED, .val.failed = told.f1.val.err};
      windlass_scaler_report_put(query, &outcome);
    } else {
      answer(query, &batch->queries.ptr[query].trigger, &told.f1.val.ok);
      windlass_scaler_http_body_drop_own(told.f1.val.ok.body);
    }
  }
  windlass_scaler_http_exchange_drop_own(exchange);
}
