// Parameters of what a user writes, by the host's rules.
#include "harness.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static char *trimmed(windlass_arena *arena, const char *text) {
  if (text == NULL) return NULL;
  text += strspn(text, " \t\r\n");
  size_t length = strlen(text);
  while (length > 0 && strchr(" \t\r\n", text[length - 1]) != NULL) length--;
  return length == 0 ? NULL : windlass_copy(arena, text, length);
}

static const char *among(windlass_arena *arena, const windlass_parameter *parameter, const windlass_json *place) {
  const char *found = trimmed(arena, windlass_member_text(place, parameter->name));
  for (size_t i = 0; found == NULL && parameter->aliases != NULL && parameter->aliases[i] != NULL; i++) {
    found = trimmed(arena, windlass_member_text(place, parameter->aliases[i]));
  }
  return found;
}

static const char *boolean(const char *text) {
  static const char *const words[] = {"1", "t", "T", "TRUE", "true", "True", "0", "f", "F", "FALSE", "false", "False"};
  for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
    if (strcmp(text, words[i]) == 0) return i < 6 ? "true" : "false";
  }
  return NULL;
}

// Milliseconds, or whole numbers with a unit, as in 1m30s.
static const char *duration(windlass_arena *arena, const char *text) {
  uint64_t total = 0;
  char *end;
  uint64_t number = strtoull(text, &end, 10);
  if (*end == 0) return text;
  for (;;) {
    size_t length = strcspn(end, "0123456789");
    uint64_t unit = strncmp(end, "ms", length) == 0 && length == 2 ? 1
                    : length != 1                                  ? 0
                    : *end == 's'                                  ? 1000
                    : *end == 'm'                                  ? 60000
                    : *end == 'h'                                  ? 3600000
                                                                   : 0;
    if (unit == 0) return NULL;
    total += number * unit;
    text = end + length;
    if (*text == 0) return windlass_format(arena, "%llu", (unsigned long long)total);
    number = strtoull(text, &end, 10);
  }
}

// The value in the form in which the scaler gets it; what is wrong with it, or NULL.
static const char *settle(windlass_arena *arena, const windlass_parameter *parameter, const char **text) {
  char *end = "";
  errno = 0;
  if (parameter->deprecated != NULL) return windlass_format(arena, "is no longer accepted: %s", parameter->deprecated);
  bool chosen = parameter->choices == NULL;
  for (size_t i = 0; !chosen && parameter->choices[i] != NULL; i++) chosen = strcmp(parameter->choices[i], *text) == 0;
  if (!chosen) return "is not one of its choices";
  switch (parameter->shape) {
    case WINDLASS_INTEGER:
      strtoll(*text, &end, 10);
      return *end != 0 || errno != 0 ? "is not an integer" : NULL;
    case WINDLASS_NUMBER:
      strtod(*text, &end);
      return *end != 0 ? "is not a number" : NULL;
    case WINDLASS_BOOLEAN:
      *text = boolean(*text);
      return *text == NULL ? "is neither true nor false" : NULL;
    case WINDLASS_DURATION:
      *text = duration(arena, *text);
      return *text == NULL ? "is not a duration" : NULL;
    default: return NULL;
  }
}

windlass_trigger windlass_resolve(const windlass_scaler *scaler, const windlass_json *metadata, const windlass_json *authentication, windlass_plan *plan) {
  windlass_arena *arena = &plan->arena;
  windlass_set *values = windlass_alloc(arena, scaler->parameter_count * sizeof *values);
  size_t count = 0;
  for (size_t i = 0; i < scaler->parameter_count; i++) {
    const windlass_parameter *parameter = &scaler->parameters[i];
    uint8_t from = parameter->from != 0 ? parameter->from : WINDLASS_METADATA;
    const char *text = NULL;
    if (from & (WINDLASS_METADATA | WINDLASS_ENVIRONMENT)) text = among(arena, parameter, metadata);
    if (text == NULL && from & WINDLASS_AUTHENTICATION) text = among(arena, parameter, authentication);
    if (text == NULL) text = parameter->initial;
    if (text == NULL) {
      if (parameter->required) windlass_problem(plan, parameter->name, "is required");
      continue;
    }
    const char *wrong = settle(arena, parameter, &text);
    if (wrong != NULL) windlass_problem(plan, parameter->name, "%s", wrong);
    bool sealed = parameter->secrecy == WINDLASS_SEALED && parameter->shape != WINDLASS_URL;
    values[count++] = (windlass_set){parameter->name, sealed ? NULL : text};
  }
  return (windlass_trigger){scaler->triggers != NULL ? scaler->triggers[0] : scaler->name, values, count};
}
