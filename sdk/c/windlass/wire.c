// One batch over TCP: some conversations at a time, each moved on when its connection can be read.
#include "host.h"
#include <stdlib.h>
#include <string.h>

enum {
  // Conversations at a time.
  MAX_RUNNING = 8,
  // How often a query is begun whose connections had been closed while they rested.
  MAX_ATTEMPTS = 3,
  // How much is read at once, and how much a conversation may leave unread, in bytes.
  PIECE = 64 << 10,
  MAX_INPUT = 1 << 20,
};

struct windlass_output {
  uint8_t *input;   // all that has come; what is consumed stands before the wire's
  uint8_t *data;
  size_t length, room;
  bool start_tls;
};

typedef struct {
  windlass_member *member;
  windlass_stream *stream;
  windlass_wire wire;
  struct windlass_output output;
  bool silent;  // nothing has come
  int attempts;
} conversation;

void windlass_write(windlass_wire *wire, const void *data, size_t length) {
  struct windlass_output *output = wire->output;
  if (output->room - output->length < length) {
    output->room = 2 * output->room + length;
    output->data = realloc(output->data, output->room);
    if (output->data == NULL) abort();
  }
  if (length > 0) memcpy(output->data + output->length, data, length);
  output->length += length;
}

void windlass_consume(windlass_wire *wire, size_t count) {
  if (count > wire->length) count = wire->length;
  wire->input += count;
  wire->length -= count;
}

void windlass_start_tls(windlass_wire *wire) { wire->output->start_tls = true; }

static void forget(conversation *one) {
  free(one->output.data);
  free(one->output.input);
  one->output = (struct windlass_output){0};
  one->wire.input = NULL;
  one->wire.length = 0;
}

// The end of a conversation: its connection is kept where it stands between two exchanges.
static void end(conversation *one) {
  windlass_query *query = one->member->query;
  bool good = windlass_outcome_of(query)->tag != WINDLASS_FAILED || one->wire.good;
  if (one->stream != NULL && good && one->wire.length == 0) windlass_host_keep(one->stream);
  else if (one->stream != NULL) windlass_host_close(one->stream);
  forget(one);
  one->stream = NULL;
  one->member->over = true;
  windlass_tell(query);
}

static void broken(const windlass_scaler *scaler, conversation *one, const windlass_failure *failure);

// Sends what was written, and does what the conversation asks for.
static void proceed(const windlass_scaler *scaler, conversation *one) {
  windlass_query *query = one->member->query;
  windlass_failure failure;
  struct windlass_output *output = &one->output;
  if (output->length > 0) {
    bool sent = windlass_host_write(one->stream, output->data, output->length, &failure, &query->arena);
    output->length = 0;
    if (!sent) {
      broken(scaler, one, &failure);
      return;
    }
  }
  if (windlass_outcome_of(query)->tag != WINDLASS_UNTOLD) {
    end(one);
  } else if (output->start_tls) {
    output->start_tls = false;
    if (!windlass_host_start_tls(one->stream, &failure, &query->arena)) {
      windlass_failed(query, &failure);
      end(one);
      return;
    }
    scaler->connected(query, one->member->parameters, &one->wire);
    proceed(scaler, one);
  }
}

static void begin(const windlass_scaler *scaler, conversation *one) {
  windlass_query *query = one->member->query;
  windlass_failure failure;
  bool fresh = true;
  one->attempts++;
  one->silent = true;
  one->stream = windlass_host_open(windlass_number_of(query), 0, &fresh, &failure, &query->arena);
  if (one->stream == NULL) {
    windlass_failed(query, &failure);
    end(one);
    return;
  }
  one->wire = (windlass_wire){.fresh = fresh, .output = &one->output};
  scaler->connected(query, one->member->parameters, &one->wire);
  proceed(scaler, one);
}

// A connection that failed. One that had rested may have been closed meanwhile: the conversation begins anew.
static void broken(const windlass_scaler *scaler, conversation *one, const windlass_failure *failure) {
  if (one->silent && !one->wire.fresh && one->attempts < MAX_ATTEMPTS) {
    windlass_host_close(one->stream);
    forget(one);
    begin(scaler, one);
    return;
  }
  windlass_failed(one->member->query, failure);
  end(one);
}

// Reads what has come and moves the conversation on.
static void received(const windlass_scaler *scaler, conversation *one) {
  windlass_query *query = one->member->query;
  windlass_failure failure;
  const uint8_t *data = NULL;
  size_t length = 0;
  if (!windlass_host_read(one->stream, PIECE, &data, &length, &failure, &query->arena)) {
    broken(scaler, one, &failure);
    return;
  }
  if (length == 0) {
    failure = (windlass_failure){.kind = WINDLASS_UNREACHABLE, .message = "the source closed the connection before it answered"};
    broken(scaler, one, &failure);
    return;
  }
  one->silent = false;
  windlass_wire *wire = &one->wire;
  uint8_t *input = malloc(wire->length + length);
  if (input == NULL) abort();
  if (wire->length > 0) memcpy(input, wire->input, wire->length);
  memcpy(input + wire->length, data, length);
  free(one->output.input);
  one->output.input = input;
  wire->input = input;
  wire->length += length;
  if (wire->length > MAX_INPUT) {
    windlass_fail(query, WINDLASS_BAD_RESPONSE, "the answer is longer than %d bytes", MAX_INPUT);
    end(one);
    return;
  }
  scaler->received(query, one->member->parameters, wire);
  proceed(scaler, one);
}

void windlass_converse(const windlass_scaler *scaler, windlass_member *members, size_t count, uint64_t end_ms) {
  conversation running[MAX_RUNNING];
  size_t next = 0, open = 0;
  for (;;) {
    uint64_t now = windlass_host_clock_ms();
    if (now >= end_ms) break;
    while (open < MAX_RUNNING && next < count) {
      running[open] = (conversation){.member = &members[next++]};
      // The wire points into the conversation, so it is begun where it stays.
      begin(scaler, &running[open]);
      if (!running[open].member->over) open++;
    }
    if (open == 0) return;
    windlass_stream *streams[MAX_RUNNING];
    bool ready[MAX_RUNNING] = {0};
    for (size_t i = 0; i < open; i++) streams[i] = running[i].stream;
    windlass_host_wait(streams, open, (uint32_t)(end_ms - now), ready);
    size_t left = 0;
    for (size_t i = 0; i < open; i++) {
      if (ready[i]) received(scaler, &running[i]);
      if (running[i].member->over) continue;
      if (left != i) {
        running[left] = running[i];
        running[left].wire.output = &running[left].output;
      }
      left++;
    }
    open = left;
  }
  for (size_t i = 0; i < open; i++) {
    windlass_fail(running[i].member->query, WINDLASS_TIMEOUT, "no answer within the time of the poll");
    end(&running[i]);
  }
  for (; next < count; next++) {
    windlass_fail(members[next].query, WINDLASS_TIMEOUT, "no answer within the time of the poll");
    windlass_tell(members[next].query);
  }
}
