// Conversations over TCP.
#include "check.h"
#include <stdlib.h>

typedef struct {
  const char *command;
} parameters_t;

static const windlass_parameter parameters[] = {{.name = "command", .offset = offsetof(parameters_t, command)}};

static void configure(windlass_plan *plan, const void *written) { (void)plan, (void)written; }

static void connected(windlass_query *query, const void *written, windlass_wire *wire) {
  (void)query;
  const char *command = ((const parameters_t *)written)->command;
  windlass_write(wire, command, strlen(command));
  windlass_write(wire, "\r\n", 2);
}

// The length of a line.
static void received(windlass_query *query, const void *written, windlass_wire *wire) {
  (void)written;
  const uint8_t *end = memchr(wire->input, '\n', wire->length);
  if (end == NULL) return;
  size_t length = (size_t)(end - wire->input);
  windlass_consume(wire, length + 1);
  windlass_value(query, (double)length);
}

static const windlass_scaler scaler = {
  .name = "test", .version = "1", .parameters = parameters, .parameter_count = 1, .size = sizeof(parameters_t),
  .configure = configure, .connected = connected, .received = received,
};

static void poll(char commands[][16], size_t count) {
  windlass_asked *queries = calloc(count, sizeof *queries);
  windlass_set *values = calloc(count, sizeof *values);
  for (size_t i = 0; i < count; i++) {
    values[i] = (windlass_set){"command", commands[i]};
    queries[i].trigger = (windlass_trigger){"test", &values[i], 1};
  }
  windlass_batch batch = {0, 5000, queries, count};
  windlass_poll(&scaler, &batch);
  free(queries);
  free(values);
}

static void many(void) {
  enum { COUNT = 30, SILENT = 3 };
  char commands[COUNT][16], text[COUNT * 96];
  size_t length = 0;
  text[length++] = '[';
  for (int i = 0; i < COUNT; i++) {
    snprintf(commands[i], sizeof commands[i], "LEN %d", i);
    length += (size_t)snprintf(text + length, 96, "%s{\"sent\":\"LEN %d\\r\\n\"", i == 0 ? "" : ",", i);
    if (i != SILENT) length += (size_t)snprintf(text + length, 96, ",\"reply\":\"%0*d\\n\"", i + 1, 0);
    text[length++] = '}';
  }
  snprintf(text + length, 2, "]");
  windlass_script *script = begin_script(text);
  poll(commands, COUNT);
  for (int i = 0; i < COUNT; i++) {
    char expected[64];
    snprintf(expected, sizeof expected, i == SILENT ? "timeout: no answer within the time of the poll" : "%d", i + 1);
    CHECK(strcmp(told(script, (size_t)i), expected) == 0, "%d: %s", i, told(script, (size_t)i));
  }
  end_script(script);
}

static void aged(int count, const char *expected) {
  char command[1][16] = {"LEN"};
  windlass_script *script = begin_script("[{\"sent\":\"LEN\\r\\n\",\"reply\":\"12\\n\"}]");
  script->aged = count;
  poll(command, 1);
  CHECK(strcmp(told(script, 0), expected) == 0, "%d aged: %s", count, told(script, 0));
  end_script(script);
}

void test_tcp(void) {
  many();
  aged(2, "2");
  aged(3, "unreachable: the source closed the connection before it answered");
}
