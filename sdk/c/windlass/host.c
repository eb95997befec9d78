// What the host gives, by the contract's bindings. Whatever the host hands over is copied into an arena, and freed.
#include "bindings/scaler.h"
#include "host.h"
#include <stdlib.h>
#include <string.h>

// The longest answer that is read when the scaler does not say otherwise, and how much at once, in bytes.
enum { MAX_BODY = 1 << 20, PIECE = 64 << 10 };

// wit-bindgen wants the contract's type as an object file; here it is added when the module becomes a component.
void __component_type_object_force_link_scaler(void) {}

// A text that is lent to the host.
static scaler_string_t lent(const char *text) {
  return (scaler_string_t){(uint8_t *)(uintptr_t)text, text == NULL ? 0 : strlen(text)};
}

static windlass_failure taken(windlass_scaler_types_failure_t *failure, windlass_arena *arena) {
  windlass_failure copy = {(windlass_kind)failure->kind, windlass_copy(arena, failure->message.ptr, failure->message.len), 0};
  if (failure->retry_after_ms.is_some) copy.retry_after_ms = failure->retry_after_ms.val;
  windlass_scaler_types_failure_free(failure);
  return copy;
}

void windlass_host_put(uint32_t query, const windlass_outcome *outcome) {
  windlass_scaler_types_outcome_t told = {0};
  scaler_list_u8_t state = {(uint8_t *)(uintptr_t)outcome->state, outcome->state_length};
  switch (outcome->tag) {
    case WINDLASS_READY:
      told.tag = WINDLASS_SCALER_TYPES_OUTCOME_READY;
      told.val.ready.values = (scaler_list_f64_t){(double *)(uintptr_t)outcome->values, outcome->value_count};
      told.val.ready.active = (scaler_option_bool_t){outcome->has_active, outcome->active};
      told.val.ready.next_ms = (scaler_option_u64_t){outcome->next_ms != 0, outcome->next_ms};
      told.val.ready.state = (scaler_option_list_u8_t){outcome->state != NULL, state};
      break;
    case WINDLASS_LATER:
      told.tag = WINDLASS_SCALER_TYPES_OUTCOME_PENDING;
      told.val.pending = (windlass_scaler_types_later_t){state, outcome->retry_ms};
      break;
    default:
      told.tag = WINDLASS_SCALER_TYPES_OUTCOME_FAILED;
      told.val.failed.kind = (uint8_t)outcome->failure.kind;
      told.val.failed.message = lent(outcome->failure.message);
      told.val.failed.retry_after_ms = (scaler_option_u64_t){outcome->failure.retry_after_ms != 0, outcome->failure.retry_after_ms};
  }
  windlass_scaler_report_put(query, &told);
}

struct windlass_exchange {
  windlass_scaler_http_own_exchange_t handle;
  windlass_request *const *requests;
};

static scaler_list_tuple2_string_string_t pairs(windlass_arena *arena, const windlass_pair *from, size_t count) {
  scaler_tuple2_string_string_t *to = windlass_alloc(arena, count * sizeof *to);
  for (size_t i = 0; i < count; i++) to[i] = (scaler_tuple2_string_string_t){lent(from[i].name), lent(from[i].value)};
  return (scaler_list_tuple2_string_string_t){to, count};
}

windlass_exchange *windlass_host_send(windlass_request *const *requests, size_t count) {
  windlass_arena arena = {0};
  windlass_scaler_http_request_t *sent = windlass_alloc(&arena, count * sizeof *sent);
  for (size_t i = 0; i < count; i++) {
    const windlass_request *request = requests[i];
    const struct windlass_more *more = request->more;
    sent[i].query = windlass_number_of(more->query);
    sent[i].endpoint = request->endpoint;
    sent[i].method = lent(request->method);
    sent[i].target = lent(request->target);
    sent[i].headers = pairs(&arena, more->headers, more->header_count);
    sent[i].body = (scaler_list_u8_t){(uint8_t *)(uintptr_t)request->body, request->body_length};
    sent[i].timeout_ms = (scaler_option_u32_t){request->timeout_ms != 0, request->timeout_ms};
    windlass_scaler_http_credential_t *credentials = windlass_alloc(&arena, more->credential_count * sizeof *credentials);
    for (size_t j = 0; j < more->credential_count; j++) {
      const windlass_credential *credential = &more->credentials[j];
      credentials[j].scheme = lent(credential->scheme);
      credentials[j].secrets = pairs(&arena, credential->secrets, credential->secret_count);
      credentials[j].settings = pairs(&arena, credential->settings, credential->setting_count);
    }
    sent[i].credentials = (windlass_scaler_http_list_credential_t){credentials, more->credential_count};
  }
  windlass_exchange *exchange = calloc(1, sizeof *exchange);
  if (exchange == NULL) abort();
  exchange->handle = windlass_scaler_http_send(&(windlass_scaler_http_list_request_t){sent, count});
  exchange->requests = requests;
  windlass_free(&arena);
  return exchange;
}

// Reads a body to its end, up to a limit.
static bool body(windlass_scaler_http_own_body_t from, size_t limit, windlass_failure *failure, windlass_response *response) {
  char *all = NULL;
  size_t length = 0;
  for (;;) {
    scaler_list_u8_t read;
    windlass_scaler_types_failure_t error;
    if (!windlass_scaler_http_method_body_read(windlass_scaler_http_borrow_body(from), PIECE, &read, &error)) {
      free(all);
      *failure = taken(&error, &response->arena);
      return false;
    }
    if (read.len == 0) break;
    if (length + read.len > limit) {
      scaler_list_u8_free(&read);
      free(all);
      failure->kind = WINDLASS_BAD_RESPONSE;
      failure->message = windlass_format(&response->arena, "the answer is longer than %zu bytes", limit);
      return false;
    }
    all = realloc(all, length + read.len);
    if (all == NULL) abort();
    memcpy(all + length, read.ptr, read.len);
    length += read.len;
    scaler_list_u8_free(&read);
  }
  response->body = windlass_copy(&response->arena, all, length);
  response->length = length;
  free(all);
  return true;
}

bool windlass_host_next(windlass_exchange *exchange, size_t *place, bool *failed, windlass_failure *failure, windlass_response *response) {
  windlass_scaler_http_tuple2_u32_result_response_failure_t told;
  if (!windlass_scaler_http_method_exchange_next(windlass_scaler_http_borrow_exchange(exchange->handle), &told)) {
    windlass_scaler_http_exchange_drop_own(exchange->handle);
    free(exchange);
    return false;
  }
  *failure = (windlass_failure){0};
  *place = told.f0;
  *failed = told.f1.is_err;
  if (*failed) {
    *failure = taken(&told.f1.val.err, &response->arena);
    return true;
  }
  windlass_scaler_http_response_t *came = &told.f1.val.ok;
  windlass_pair *headers = windlass_alloc(&response->arena, came->headers.len * sizeof *headers);
  for (size_t i = 0; i < came->headers.len; i++) {
    const scaler_tuple2_string_string_t *header = &came->headers.ptr[i];
    headers[i].name = windlass_copy(&response->arena, header->f0.ptr, header->f0.len);
    headers[i].value = windlass_copy(&response->arena, header->f1.ptr, header->f1.len);
  }
  response->status = came->status;
  response->headers = headers;
  response->header_count = came->headers.len;
  size_t limit = exchange->requests[*place]->max_body;
  *failed = !body(came->body, limit != 0 ? limit : MAX_BODY, failure, response);
  scaler_list_tuple2_string_string_free(&came->headers);
  windlass_scaler_http_body_drop_own(came->body);
  return true;
}

struct windlass_stream {
  windlass_scaler_tcp_own_connection_t handle;
};

static windlass_scaler_tcp_borrow_connection_t borrowed(const windlass_stream *stream) {
  return windlass_scaler_tcp_borrow_connection(stream->handle);
}

windlass_stream *windlass_host_open(uint32_t query, uint32_t endpoint, bool *fresh, windlass_failure *failure, windlass_arena *arena) {
  windlass_scaler_tcp_tuple2_own_connection_bool_t opened;
  windlass_scaler_types_failure_t error;
  if (!windlass_scaler_tcp_static_connection_open(query, endpoint, &opened, &error)) {
    *failure = taken(&error, arena);
    return NULL;
  }
  windlass_stream *stream = calloc(1, sizeof *stream);
  if (stream == NULL) abort();
  stream->handle = opened.f0;
  *fresh = opened.f1;
  return stream;
}

bool windlass_host_start_tls(windlass_stream *stream, windlass_failure *failure, windlass_arena *arena) {
  windlass_scaler_types_failure_t error;
  if (windlass_scaler_tcp_method_connection_start_tls(borrowed(stream), &error)) return true;
  *failure = taken(&error, arena);
  return false;
}

bool windlass_host_write(windlass_stream *stream, const void *data, size_t length, windlass_failure *failure, windlass_arena *arena) {
  windlass_scaler_types_failure_t error;
  scaler_list_u8_t bytes = {(uint8_t *)(uintptr_t)data, length};
  if (windlass_scaler_tcp_method_connection_write(borrowed(stream), &bytes, &error)) return true;
  *failure = taken(&error, arena);
  return false;
}

bool windlass_host_read(windlass_stream *stream, uint32_t most, const uint8_t **data, size_t *length, windlass_failure *failure, windlass_arena *arena) {
  windlass_scaler_types_failure_t error;
  scaler_list_u8_t read;
  // It can be read or has failed: that does not wait.
  if (!windlass_scaler_tcp_method_connection_read(borrowed(stream), most, 1, &read, &error)) {
    *failure = taken(&error, arena);
    return false;
  }
  *data = (const uint8_t *)windlass_copy(arena, read.ptr, read.len);
  *length = read.len;
  scaler_list_u8_free(&read);
  return true;
}

void windlass_host_keep(windlass_stream *stream) {
  windlass_scaler_tcp_static_connection_keep(stream->handle);
  free(stream);
}

void windlass_host_close(windlass_stream *stream) {
  windlass_scaler_tcp_connection_drop_own(stream->handle);
  free(stream);
}

size_t windlass_host_wait(windlass_stream *const *on, size_t count, uint32_t timeout_ms, bool *ready) {
  windlass_arena arena = {0};
  windlass_scaler_tcp_borrow_connection_t *handles = windlass_alloc(&arena, count * sizeof *handles);
  for (size_t i = 0; i < count; i++) handles[i] = borrowed(on[i]);
  scaler_list_u32_t told;
  windlass_scaler_tcp_wait(&(windlass_scaler_tcp_list_borrow_connection_t){handles, count}, timeout_ms, &told);
  for (size_t i = 0; i < told.len; i++) {
    if (told.ptr[i] < count) ready[told.ptr[i]] = true;
  }
  size_t found = told.len;
  scaler_list_u32_free(&told);
  windlass_free(&arena);
  return found;
}

uint64_t windlass_host_clock_ms(void) { return windlass_scaler_clock_monotonic_ms(); }

void windlass_host_random(void *into, size_t length) {
  scaler_list_u8_t random;
  windlass_scaler_random_bytes((uint32_t)length, &random);
  // The host traps rather than give less.
  memcpy(into, random.ptr, random.len < length ? random.len : length);
  scaler_list_u8_free(&random);
}

void windlass_host_log(windlass_level level, uint32_t query, const char *message) {
  scaler_string_t line = lent(message);
  windlass_scaler_log_write((uint8_t)level, &query, &line);
}
