// Cases as data: what a user writes, and what must come of it.
#include "harness.h"
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const words[] = {"invalid", "auth", "unreachable", "timeout", "throttled", "not-found", "bad-response", "denied", "internal"};

const char *windlass_word(windlass_kind kind) { return words[kind]; }

static char *read_file(windlass_arena *arena, const char *path, size_t *length) {
  FILE *file = fopen(path, "rb");
  if (file == NULL) return NULL;
  char *text = NULL;
  *length = 0;
  for (size_t room = 4096;; room *= 2) {
    text = realloc(text, room);
    *length += fread(text + *length, 1, room - *length, file);
    if (*length < room) break;
  }
  fclose(file);
  char *copy = windlass_copy(arena, text, *length);
  free(text);
  return copy;
}

static const windlass_json *member(const windlass_json *object, const char *name) {
  return object == NULL ? NULL : windlass_json_at(object, name);
}

static size_t length_of(const windlass_json *list) {
  size_t length = 0;
  for (const windlass_json *one = list == NULL ? NULL : list->first; one != NULL; one = one->next) length++;
  return length;
}

#define WRONG(...) return windlass_format(arena, __VA_ARGS__)

static const char *same_problems(windlass_arena *arena, const windlass_plan *plan, const windlass_json *expected) {
  bool fits = plan->problem_count == length_of(expected);
  for (size_t i = 0; i < plan->problem_count; i++) {
    const windlass_plan_problem *problem = &plan->problems[i];
    const char *part = windlass_member_text(expected, problem->parameter == NULL ? "" : problem->parameter);
    fits = fits && part != NULL && strstr(problem->message, part) != NULL;
  }
  if (fits) return NULL;
  if (plan->problem_count == 0) WRONG("no problem was found");
  WRONG("found a problem: %s %s", plan->problems[0].parameter, plan->problems[0].message);
}

static const char *same_plan(windlass_arena *arena, const windlass_plan *plan, const windlass_json *one) {
  const windlass_json *metric = member(one, "metrics"), *endpoint = member(one, "endpoints");
  if (length_of(metric) != plan->metric_count) WRONG("%zu metrics", plan->metric_count);
  if (length_of(endpoint) != plan->endpoint_count) WRONG("%zu endpoints", plan->endpoint_count);
  metric = metric == NULL ? NULL : metric->first;
  for (size_t i = 0; i < plan->metric_count; i++, metric = metric->next) {
    const windlass_plan_metric *own = &plan->metrics[i];
    const windlass_json *name = metric->first, *target = name->next, *activation = target->next;
    if (strcmp(own->name, name->text) != 0 || own->target != target->number || own->activation != activation->number) {
      WRONG("metric %s, %g, %g", own->name, own->target, own->activation);
    }
  }
  endpoint = endpoint == NULL ? NULL : endpoint->first;
  for (size_t i = 0; i < plan->endpoint_count; i++, endpoint = endpoint->next) {
    const windlass_plan_endpoint *own = &plan->endpoints[i];
    const char *text = windlass_format(arena, "%s:%u%s", own->host, own->port, own->secure ? " tls" : "");
    if (strcmp(text, endpoint->text) != 0) WRONG("endpoint %s instead of %s", text, endpoint->text);
  }
  return NULL;
}

static const char *same_outcome(windlass_arena *arena, const windlass_script *script, const windlass_json *expected) {
  const windlass_outcome *outcome = &script->outcomes[0];
  const char *failed = windlass_member_text(expected, "failed"), *message = windlass_member_text(expected, "message");
  if (script->unexpected != NULL) WRONG("asked what the case does not say: %s", script->unexpected);
  if (windlass_script_left(script) > 0) WRONG("%zu exchanges were never asked for", windlass_script_left(script));
  if (script->told[0] != 1) WRONG("%zu outcomes were told", script->told[0]);
  if (outcome->tag == WINDLASS_LATER) WRONG("is pending");
  if (outcome->tag == WINDLASS_FAILED) {
    const windlass_failure *failure = &outcome->failure;
    bool fits = failed != NULL && strcmp(failed, windlass_word(failure->kind)) == 0;
    if (fits && (message == NULL || strstr(failure->message, message) != NULL)) return NULL;
    WRONG("failed as %s (%s)", windlass_word(failure->kind), failure->message);
  }
  const windlass_json *value = member(expected, "values"), *active = member(expected, "active");
  if (failed != NULL || length_of(value) != outcome->value_count) WRONG("%zu values", outcome->value_count);
  value = value == NULL ? NULL : value->first;
  for (size_t i = 0; i < outcome->value_count; i++, value = value->next) {
    if (value->number != outcome->values[i]) WRONG("value %g instead of %g", outcome->values[i], value->number);
  }
  if ((active != NULL) != outcome->has_active || (active != NULL && (active->kind == WINDLASS_JSON_TRUE) != outcome->active)) {
    WRONG("activity is not as expected");
  }
  return NULL;
}

// Milliseconds since 1970 of 2026-03-29T00:30:00Z.
static uint64_t moment(const char *text) {
  int year, month, day, hour, minute, second;
  if (text == NULL || sscanf(text, "%d-%d-%dT%d:%d:%dZ", &year, &month, &day, &hour, &minute, &second) != 6) return 0;
  // Days since 1970: years begin in March, so that the leap day is the last of a year.
  if (month <= 2) year--;
  long of_year = (153L * ((month + 9) % 12) + 2) / 5 + day - 1;
  long days = year * 365L + year / 4 - year / 100 + year / 400 + of_year - 719468;
  return (uint64_t)((days * 24 + hour) * 60 + minute) * 60000 + (uint64_t)second * 1000;
}

static const char *run(windlass_arena *arena, const windlass_scaler *scaler, const windlass_json *one) {
  windlass_plan *plan = windlass_alloc(arena, sizeof *plan);
  windlass_trigger trigger = windlass_resolve(scaler, member(one, "metadata"), member(one, "authentication"), plan);
  if (windlass_member_text(one, "type") != NULL) trigger.type = windlass_member_text(one, "type");
  if (plan->problem_count == 0) windlass_configure(scaler, &trigger, plan);
  const char *wrong = same_problems(arena, plan, member(one, "problems"));
  if (wrong == NULL && plan->problem_count == 0) wrong = same_plan(arena, plan, one);
  const windlass_json *poll = member(one, "polls");
  windlass_asked asked = {.trigger = trigger};
  for (poll = poll == NULL ? NULL : poll->first; wrong == NULL && poll != NULL; poll = poll->next) {
    windlass_script *script = calloc(1, sizeof *script);
    script->exchange = member(poll, "exchange");
    script->used = windlass_alloc(arena, length_of(script->exchange) + 1);
    windlass_played = script;
    windlass_batch batch = {moment(windlass_member_text(poll, "now")), 5000, &asked, 1};
    windlass_poll(scaler, &batch);
    wrong = same_outcome(arena, script, member(poll, "expect"));
    const windlass_outcome *outcome = &script->outcomes[0];
    if (outcome->state != NULL) {
      asked.state = (const uint8_t *)windlass_copy(arena, outcome->state, outcome->state_length);
      asked.state_length = outcome->state_length;
    }
    windlass_free(&script->arena);
    free(script);
  }
  windlass_free(&plan->arena);
  return wrong;
}

int windlass_run_cases(const windlass_scaler *scaler, const char *folder) {
  DIR *cases = opendir(folder);
  int count = 0, failed = 0;
  for (struct dirent *entry; cases != NULL && (entry = readdir(cases)) != NULL;) {
    if (entry->d_name[0] == '.') continue;
    windlass_arena arena = {0};
    size_t length = 0;
    char *text = read_file(&arena, windlass_format(&arena, "%s/%s/case.json", folder, entry->d_name), &length);
    const windlass_json *one = text == NULL ? NULL : windlass_json_parse(&arena, text, length);
    const char *wrong = one == NULL ? "case.json is missing or not JSON" : run(&arena, scaler, one);
    count++;
    if (wrong != NULL) {
      failed++;
      fprintf(stderr, "%s: %s\n", entry->d_name, wrong);
    }
    windlass_free(&arena);
  }
  if (cases != NULL) closedir(cases);
  printf("%d cases, %d failed\n", count, failed);
  return count == 0 ? 1 : failed;
}
