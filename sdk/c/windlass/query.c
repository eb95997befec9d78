// Queries: their outcomes, and what they ask over HTTP.
#include "host.h"
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

// Rounds after which a scaler that asks on and on is stopped.
enum { MAX_ROUNDS = 8 };
// The longest answer that a message repeats, in characters.
enum { REPEATED = 160 };

struct windlass_inner {
  uint32_t number;
  windlass_outcome outcome;
  // Requests of this round, in order, and how many have no answer yet.
  windlass_request *first, **last;
  size_t count, missing;
};

char *windlass_vformat(windlass_arena *arena, const char *format, va_list arguments);

windlass_outcome *windlass_outcome_of(windlass_query *query) { return &query->inner->outcome; }

uint32_t windlass_number_of(const windlass_query *query) { return query->inner->number; }

void windlass_values(windlass_query *query, const double *values, size_t count) {
  windlass_outcome *outcome = &query->inner->outcome;
  if (outcome->tag != WINDLASS_UNTOLD) return;
  double *copy = windlass_alloc(&query->arena, count * sizeof *copy);
  if (count > 0) memcpy(copy, values, count * sizeof *copy);
  outcome->tag = WINDLASS_READY;
  outcome->values = copy;
  outcome->value_count = count;
}

void windlass_value(windlass_query *query, double value) { windlass_values(query, &value, 1); }

void windlass_failed(windlass_query *query, const windlass_failure *failure) {
  windlass_outcome *outcome = &query->inner->outcome;
  if (outcome->tag != WINDLASS_UNTOLD) return;
  outcome->tag = WINDLASS_FAILED;
  outcome->failure = *failure;
}

void windlass_fail(windlass_query *query, windlass_kind kind, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  windlass_failed(query, &(windlass_failure){.kind = kind, .message = windlass_vformat(&query->arena, format, arguments)});
  va_end(arguments);
}

void windlass_keep_state(windlass_query *query, const void *state, size_t length) {
  query->inner->outcome.state = windlass_copy(&query->arena, state, length);
  query->inner->outcome.state_length = length;
}

void windlass_pending(windlass_query *query, uint64_t retry_ms, const void *state, size_t length) {
  if (query->inner->outcome.tag != WINDLASS_UNTOLD) return;
  windlass_keep_state(query, state, length);
  query->inner->outcome.tag = WINDLASS_LATER;
  query->inner->outcome.retry_ms = retry_ms;
}

void windlass_active(windlass_query *query, bool active) {
  query->inner->outcome.has_active = true;
  query->inner->outcome.active = active;
}

void windlass_next(windlass_query *query, uint64_t ms) { query->inner->outcome.next_ms = ms; }

void windlass_log(windlass_query *query, windlass_level level, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  windlass_host_log(level, query->inner->number, windlass_vformat(&query->arena, format, arguments));
  va_end(arguments);
}

void windlass_random(windlass_query *query, void *into, size_t length) {
  (void)query;
  windlass_host_random(into, length);
}

static windlass_request *request(windlass_query *query, const char *method, const char *target) {
  windlass_request *made = windlass_alloc(&query->arena, sizeof *made);
  made->more = windlass_alloc(&query->arena, sizeof *made->more);
  made->more->query = query;
  made->method = method;
  made->target = target;
  struct windlass_inner *inner = query->inner;
  *inner->last = made;
  inner->last = &made->more->next;
  inner->count++;
  return made;
}

windlass_request *windlass_get(windlass_query *query, const char *target) { return request(query, "GET", target); }

windlass_request *windlass_post(windlass_query *query, const char *target, const char *type, const void *body, size_t length) {
  windlass_request *made = request(query, "POST", target);
  made->body = body;
  made->body_length = length;
  windlass_header(made, "Content-Type", type);
  return made;
}

void windlass_header(windlass_request *request, const char *name, const char *value) {
  struct windlass_more *more = request->more;
  if (more->header_count == WINDLASS_MOST) {
    windlass_fail(more->query, WINDLASS_INTERNAL, "a request has more than %d headers", WINDLASS_MOST);
    return;
  }
  more->headers[more->header_count++] = (windlass_pair){name, value};
}

static windlass_credential *credential(windlass_request *request, const char *scheme, const char *role, windlass_sealed secret) {
  struct windlass_more *more = request->more;
  size_t most = sizeof more->credentials / sizeof *more->credentials;
  if (more->credential_count == most) {
    windlass_fail(more->query, WINDLASS_INTERNAL, "a request has more than %zu credentials", most);
    return NULL;
  }
  windlass_credential *made = &more->credentials[more->credential_count++];
  made->scheme = scheme;
  if (secret != NULL) made->secrets[made->secret_count++] = (windlass_pair){role, secret};
  return made;
}

void windlass_bearer(windlass_request *request, windlass_sealed token) { credential(request, "bearer", "token", token); }

static void with_setting(windlass_credential *made, const char *role, const char *text) {
  if (made != NULL) made->settings[made->setting_count++] = (windlass_pair){role, text};
}

void windlass_basic(windlass_request *request, const char *username, windlass_sealed password) {
  with_setting(credential(request, "basic", "password", password), "username", username);
}

void windlass_secret_header(windlass_request *request, const char *name, windlass_sealed value) {
  with_setting(credential(request, "header", "value", value), "name", name);
}

void windlass_secret_query(windlass_request *request, const char *name, windlass_sealed value) {
  with_setting(credential(request, "query", "value", value), "name", name);
}

char *windlass_encode(windlass_query *query, const char *text) {
  static const char hex[] = "0123456789ABCDEF";
  char *encoded = windlass_alloc(&query->arena, 3 * strlen(text) + 1), *out = encoded;
  for (; *text != 0; text++) {
    unsigned char c = (unsigned char)*text;
    bool plain = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || strchr("-_.~", c) != NULL;
    if (plain) {
      *out++ = (char)c;
    } else {
      *out++ = '%';
      *out++ = hex[c >> 4];
      *out++ = hex[c & 15];
    }
  }
  return encoded;
}

const char *windlass_header_of(const windlass_response *response, const char *name) {
  for (size_t i = 0; i < response->header_count; i++) {
    if (strcasecmp(response->headers[i].name, name) == 0) return response->headers[i].value;
  }
  return NULL;
}

// The beginning of a body, as a message repeats it: its words, when it is text.
static char *said(windlass_query *query, const windlass_response *response) {
  char *text = windlass_alloc(&query->arena, 4 * REPEATED + 4), *out = text;
  size_t characters = 0;
  for (size_t i = 0; i < response->length && characters < REPEATED; i++) {
    unsigned char c = (unsigned char)response->body[i];
    if (c == ' ' || (c >= '\t' && c <= '\r')) {
      if (out != text && out[-1] != ' ') *out++ = ' ', characters++;
    } else if (c < 0x20 || c == 0x7F) {
      return "";
    } else {
      *out++ = (char)c;
      // The bytes of a character that goes on do not count, and are not cut.
      bool more = i + 1 < response->length && ((unsigned char)response->body[i + 1] & 0xC0) == 0x80;
      if (!more) characters++;
      if (out - text >= 4 * REPEATED) break;
    }
  }
  if (out != text && out[-1] == ' ') out--;
  *out = 0;
  return out == text ? "" : windlass_format(&query->arena, " (%s)", text);
}

bool windlass_check(windlass_query *query, const windlass_response *response) {
  unsigned status = response->status;
  if (status >= 200 && status <= 299) return true;
  windlass_kind kind = WINDLASS_BAD_RESPONSE;
  const char *hint = "";
  if (status == 401 || status == 403 || status == 407) kind = WINDLASS_AUTH;
  else if (status == 404 || status == 410) kind = WINDLASS_NOT_FOUND;
  else if (status == 408 || status == 504) kind = WINDLASS_TIMEOUT;
  else if (status == 429) kind = WINDLASS_THROTTLED;
  else if (status >= 500 && status <= 599) kind = WINDLASS_UNREACHABLE;
  if (status >= 300 && status <= 399) hint = ", and redirects are not followed: write the final address";
  if (status == 401 || status == 407) hint = ": check the credentials";
  if (status == 403) hint = ": the credentials do not suffice";
  windlass_failure failure = {.kind = kind};
  failure.message = windlass_format(&query->arena, "answered %u%s%s", status, hint, said(query, response));
  const char *after = status == 429 || status == 503 ? windlass_header_of(response, "Retry-After") : NULL;
  if (after != NULL) {
    // Its other form, a date, is left alone.
    size_t length = strspn(after, "0123456789");
    if (length > 0 && length <= 9 && after[length] == 0) failure.retry_after_ms = strtoull(after, NULL, 10) * 1000;
  }
  windlass_failed(query, &failure);
  return false;
}

void windlass_tell(windlass_query *query) {
  windlass_outcome *outcome = &query->inner->outcome;
  if (outcome->tag == WINDLASS_UNTOLD) windlass_fail(query, WINDLASS_INTERNAL, "the scaler neither asked nor told an outcome");
  windlass_host_put(query->inner->number, outcome);
  windlass_free(&query->arena);
}

static void begin_round(windlass_query *query) {
  query->inner->first = NULL;
  query->inner->last = &query->inner->first;
  query->inner->count = query->inner->missing = 0;
}

// What follows when `ask` or `answer` has returned: true, the query asks.
static bool asks(windlass_query *query) {
  struct windlass_inner *inner = query->inner;
  if (inner->outcome.tag == WINDLASS_UNTOLD && inner->count > 0 && query->round >= MAX_ROUNDS) {
    windlass_fail(query, WINDLASS_INTERNAL, "asks for more after %d rounds", MAX_ROUNDS);
  }
  if (inner->outcome.tag == WINDLASS_UNTOLD && inner->count > 0) {
    inner->missing = inner->count;
    return true;
  }
  windlass_tell(query);
  return false;
}

// A query whose responses are all there: true, it asks again.
static bool finish(const windlass_scaler *scaler, windlass_query *query, const void *parameters) {
  struct windlass_inner *inner = query->inner;
  size_t count = inner->count, place = 0;
  windlass_response **responses = windlass_alloc(&query->arena, count * sizeof *responses);
  for (windlass_request *one = inner->first; one != NULL; one = one->more->next) responses[place++] = one->more->response;
  begin_round(query);
  scaler->answer(query, parameters, responses, count);
  query->round++;
  return asks(query);
}

// An answer for a member; what it holds is freed with the query.
static void take(const windlass_scaler *scaler, windlass_member *owner, windlass_request *request, windlass_response *came, const windlass_failure *failure) {
  windlass_query *query = owner->query;
  windlass_response *response = windlass_alloc(&query->arena, sizeof *response);
  windlass_adopt(&query->arena, &came->arena);
  *response = *came;
  request->more->response = response;
  if (failure != NULL) windlass_failed(query, failure);
  bool good = failure == NULL && (request->any_status || windlass_check(query, response));
  if (good && --query->inner->missing > 0) return;
  owner->over = true;
  if (good) owner->again = finish(scaler, query, owner->parameters);
  else windlass_tell(query);
}

// One round: sends what all ask, and moves each on as its answers are there. Tells how many ask again; those are the first then.
static size_t round_of(const windlass_scaler *scaler, windlass_member *members, size_t count) {
  size_t total = 0, next = 0;
  for (size_t i = 0; i < count; i++) total += members[i].query->inner->count;
  windlass_request **requests = calloc(total, sizeof *requests);
  windlass_member **owners = calloc(total, sizeof *owners);
  if (requests == NULL || owners == NULL) abort();
  total = 0;
  for (size_t i = 0; i < count; i++) {
    members[i].over = members[i].again = false;
    for (windlass_request *one = members[i].query->inner->first; one != NULL; one = one->more->next) {
      owners[total] = &members[i];
      requests[total++] = one;
    }
  }
  windlass_exchange *exchange = windlass_host_send(requests, total);
  size_t place;
  bool failed;
  windlass_failure failure;
  windlass_response came = {0};
  while (windlass_host_next(exchange, &place, &failed, &failure, &came)) {
    // A query that one answer has failed has no use for the others.
    if (place < total && !owners[place]->over) take(scaler, owners[place], requests[place], &came, failed ? &failure : NULL);
    windlass_free(&came.arena);
    came = (windlass_response){0};
  }
  for (size_t i = 0; i < count; i++) {
    if (!members[i].over) {
      windlass_fail(members[i].query, WINDLASS_INTERNAL, "the host told no answer");
      windlass_tell(members[i].query);
    }
    if (members[i].again) members[next++] = members[i];
  }
  free(requests);
  free(owners);
  return next;
}

// A query of a batch: its parameters, or NULL where they do not fit, which is told.
static void *begin(const windlass_scaler *scaler, const windlass_batch *batch, size_t number, windlass_query *query) {
  const windlass_asked *asked = &batch->queries[number];
  *query = (windlass_query){.type = asked->trigger.type, .now_ms = batch->now_ms, .state = asked->state, .state_length = asked->state_length};
  query->inner = windlass_alloc(&query->arena, sizeof *query->inner);
  query->inner->number = (uint32_t)number;
  begin_round(query);
  windlass_plan *plan = calloc(1, sizeof *plan);
  if (plan == NULL) abort();
  void *parameters = windlass_read(scaler, &asked->trigger, &query->arena, plan);
  if (plan->problem_count > 0) {
    windlass_fail(query, WINDLASS_INVALID, "%s: %s", plan->problems[0].parameter, plan->problems[0].message);
    parameters = NULL;
  }
  windlass_free(&plan->arena);
  free(plan);
  if (parameters == NULL) windlass_tell(query);
  return parameters;
}

void windlass_poll(const windlass_scaler *scaler, const windlass_batch *batch) {
  // What is left of the budget for telling outcomes.
  const uint32_t reserve = 20;
  uint64_t end = windlass_host_clock_ms() + (batch->budget_ms > reserve ? batch->budget_ms - reserve : 0);
  windlass_query *queries = calloc(batch->count + 1, sizeof *queries);
  windlass_member *members = calloc(batch->count + 1, sizeof *members);
  if (queries == NULL || members == NULL) abort();
  size_t count = 0;
  for (size_t i = 0; i < batch->count; i++) {
    void *parameters = begin(scaler, batch, i, &queries[i]);
    if (parameters == NULL) continue;
    members[count] = (windlass_member){.query = &queries[i], .parameters = parameters};
    if (scaler->connected != NULL) {
      count++;
      continue;
    }
    scaler->ask(&queries[i], parameters);
    if (asks(&queries[i])) count++;
  }
  if (scaler->connected != NULL) {
    windlass_converse(scaler, members, count, end);
  } else {
    while (count > 0) count = round_of(scaler, members, count);
  }
  free(queries);
  free(members);
}
