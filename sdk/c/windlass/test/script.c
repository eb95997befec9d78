// The host of tests.
#include "harness.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

windlass_script *windlass_played;

static const windlass_json *member(const windlass_json *object, const char *name) {
  const windlass_json *found = NULL;
  if (object == NULL) return NULL;
  for (const windlass_json *one = object->first; one != NULL; one = one->next) {
    if (one->name != NULL && strcmp(one->name, name) == 0) found = one;
  }
  return found;
}

const char *windlass_member_text(const windlass_json *object, const char *name) {
  const windlass_json *found = member(object, name);
  return found == NULL ? NULL : found->text;
}

size_t windlass_script_left(const windlass_script *script) {
  size_t left = 0, place = 0;
  for (const windlass_json *one = script->exchange == NULL ? NULL : script->exchange->first; one != NULL; one = one->next) {
    if (!script->used[place++]) left++;
  }
  return left;
}

static void copy_outcome(windlass_outcome *to, const windlass_outcome *from) {
  windlass_arena *arena = &windlass_played->arena;
  *to = *from;
  to->values = (const double *)(const void *)windlass_copy(arena, from->values, from->value_count * sizeof *from->values);
  if (from->state != NULL) to->state = windlass_copy(arena, from->state, from->state_length);
  if (from->failure.message != NULL) to->failure.message = windlass_format(arena, "%s", from->failure.message);
}

void windlass_host_put(uint32_t query, const windlass_outcome *outcome) {
  if (windlass_played->told[query]++ == 0) copy_outcome(&windlass_played->outcomes[query], outcome);
}

struct windlass_exchange {
  windlass_request *const *requests;
  size_t count, told;
};

windlass_exchange *windlass_host_send(windlass_request *const *requests, size_t count) {
  windlass_exchange *exchange = calloc(1, sizeof *exchange);
  *exchange = (windlass_exchange){requests, count, 0};
  windlass_played->sends++;
  return exchange;
}

static bool carries(const windlass_request *request, const windlass_json *headers) {
  for (const windlass_json *header = headers == NULL ? NULL : headers->first; header != NULL; header = header->next) {
    bool found = false;
    for (size_t i = 0; i < request->more->header_count; i++) {
      const windlass_pair *own = &request->more->headers[i];
      found = found || (strcasecmp(own->name, header->name) == 0 && strcmp(own->value, header->text) == 0);
    }
    if (!found) return false;
  }
  return true;
}

// Credentials as a case writes them.
static bool same_credentials(const windlass_request *request, const windlass_json *expected) {
  const windlass_json *one = expected == NULL ? NULL : expected->first;
  for (size_t i = 0; i < request->more->credential_count; i++) {
    const windlass_credential *own = &request->more->credentials[i];
    char *text = windlass_format(&windlass_played->arena, "%s", own->scheme);
    for (size_t j = 0; j < own->secret_count + own->setting_count; j++) {
      const windlass_pair *role = j < own->secret_count ? &own->secrets[j] : &own->settings[j - own->secret_count];
      text = windlass_format(&windlass_played->arena, "%s %s=%s", text, role->name, role->value);
    }
    if (one == NULL || strcmp(one->text, text) != 0) return false;
    one = one->next;
  }
  return one == NULL;
}

static bool fits(const windlass_json *entry, const windlass_request *request) {
  const char *line = windlass_member_text(entry, "request"), *content = windlass_member_text(entry, "content");
  const char *asked = windlass_format(&windlass_played->arena, "%s %s", request->method, request->target);
  size_t length = content == NULL ? 0 : strlen(content);
  return line != NULL && strcmp(line, asked) == 0 && length == request->body_length &&
         (length == 0 || memcmp(content, request->body, length) == 0) && carries(request, member(entry, "headers")) &&
         same_credentials(request, member(entry, "credentials"));
}

static void respond(const windlass_json *entry, windlass_response *response) {
  const windlass_json *status = member(entry, "status"), *headers = member(entry, "answer_headers"), *body = member(entry, "body");
  response->status = status == NULL || status->number == 0 ? 200 : (uint16_t)status->number;
  windlass_pair *pairs = windlass_alloc(&response->arena, 16 * sizeof *pairs);
  response->headers = pairs;
  for (const windlass_json *header = headers == NULL ? NULL : headers->first; header != NULL && response->header_count < 16;
       header = header->next) {
    pairs[response->header_count++] = (windlass_pair){header->name, header->text};
  }
  response->length = body == NULL ? 0 : body->text_length;
  response->body = windlass_copy(&response->arena, body == NULL ? "" : body->text, response->length);
}

bool windlass_host_next(windlass_exchange *exchange, size_t *place, bool *failed, windlass_failure *failure, windlass_response *response) {
  if (exchange->told == exchange->count) {
    free(exchange);
    return false;
  }
  windlass_script *script = windlass_played;
  const windlass_request *request = exchange->requests[*place = exchange->told++];
  size_t number = 0;
  *failed = false;
  for (const windlass_json *entry = script->exchange == NULL ? NULL : script->exchange->first; entry != NULL; entry = entry->next, number++) {
    if (script->used[number] || !fits(entry, request)) continue;
    script->used[number] = true;
    respond(entry, response);
    return true;
  }
  script->unexpected = windlass_format(&script->arena, "%s %s", request->method, request->target);
  *failed = true;
  *failure = (windlass_failure){.kind = WINDLASS_INTERNAL, .message = "the script has no such request"};
  return true;
}

// A connection to a source that plays the script; streams that were kept are opened again.
struct windlass_stream {
  const char *pending;
  size_t length;
  bool closed;
  windlass_stream *next;
};

static windlass_stream *kept;

windlass_stream *windlass_host_open(uint32_t query, uint32_t endpoint, bool *fresh, windlass_failure *failure, windlass_arena *arena) {
  (void)query, (void)endpoint, (void)failure, (void)arena;
  windlass_stream *stream = kept;
  *fresh = false;
  if (windlass_played->aged > 0) {
    windlass_played->aged--;
    stream = calloc(1, sizeof *stream);
    stream->closed = true;
    return stream;
  }
  if (stream != NULL) {
    kept = stream->next;
    return stream;
  }
  *fresh = true;
  return calloc(1, sizeof *stream);
}

bool windlass_host_start_tls(windlass_stream *stream, windlass_failure *failure, windlass_arena *arena) {
  (void)stream, (void)failure, (void)arena;
  return true;
}

bool windlass_host_write(windlass_stream *stream, const void *data, size_t length, windlass_failure *failure, windlass_arena *arena) {
  (void)failure, (void)arena;
  if (stream->closed) return true;
  windlass_script *script = windlass_played;
  size_t number = 0;
  for (const windlass_json *entry = script->exchange == NULL ? NULL : script->exchange->first; entry != NULL; entry = entry->next, number++) {
    const windlass_json *sent = member(entry, "sent"), *reply = member(entry, "reply");
    if (script->used[number] || sent == NULL || sent->text_length != length || memcmp(sent->text, data, length) != 0) continue;
    script->used[number] = true;
    if (reply != NULL) {
      stream->pending = reply->text;
      stream->length = reply->text_length;
    }
    return true;
  }
  script->unexpected = windlass_copy(&script->arena, data, length);
  stream->closed = true;
  return true;
}

// A byte at first, then the rest: what comes in pieces has to be put together.
bool windlass_host_read(windlass_stream *stream, uint32_t most, const uint8_t **data, size_t *length, windlass_failure *failure, windlass_arena *arena) {
  (void)failure, (void)most;
  *length = stream->length > 1 ? 1 + (stream->length > 8 ? 7 : 0) : stream->length;
  *data = (const uint8_t *)windlass_copy(arena, stream->pending, *length);
  stream->pending += *length;
  stream->length -= *length;
  return true;
}

void windlass_host_keep(windlass_stream *stream) {
  stream->next = kept;
  kept = stream;
}

void windlass_host_close(windlass_stream *stream) { free(stream); }

size_t windlass_host_wait(windlass_stream *const *on, size_t count, uint32_t timeout_ms, bool *ready) {
  size_t found = 0;
  for (size_t i = 0; i < count; i++) {
    ready[i] = on[i]->closed || on[i]->length > 0;
    found += ready[i];
  }
  if (found == 0) windlass_played->clock_ms += timeout_ms;
  return found;
}

uint64_t windlass_host_clock_ms(void) { return windlass_played->clock_ms; }

void windlass_host_random(void *into, size_t length) { memset(into, 7, length); }

void windlass_host_log(windlass_level level, uint32_t query, const char *message) {
  (void)level, (void)query, (void)message;
}
