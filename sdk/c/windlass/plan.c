// Plans, and the parameters that they are made of.
#include "host.h"
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

char *windlass_vformat(windlass_arena *arena, const char *format, va_list arguments);

void windlass_problem(windlass_plan *plan, const char *parameter, const char *format, ...) {
  if (plan->problem_count == WINDLASS_MOST) return;
  va_list arguments;
  va_start(arguments, format);
  windlass_plan_problem *problem = &plan->problems[plan->problem_count++];
  problem->parameter = parameter;
  problem->message = windlass_vformat(&plan->arena, format, arguments);
  va_end(arguments);
}

void windlass_metric(windlass_plan *plan, double target, double activation, const char *format, ...) {
  if (plan->metric_count == WINDLASS_MOST) {
    windlass_problem(plan, NULL, "has more than %d metrics", WINDLASS_MOST);
    return;
  }
  va_list arguments;
  va_start(arguments, format);
  char *name = windlass_vformat(&plan->arena, format, arguments);
  va_end(arguments);
  for (char *at = name; (at = strpbrk(at, "/.:%()")) != NULL;) *at = '-';
  plan->metrics[plan->metric_count++] = (windlass_plan_metric){name, target, activation};
}

static windlass_plan_endpoint *endpoint(windlass_plan *plan, const char *parameter, const char *host, uint16_t port) {
  if (plan->endpoint_count == WINDLASS_MOST) {
    windlass_problem(plan, parameter, "leads to more than %d endpoints", WINDLASS_MOST);
    return NULL;
  }
  windlass_plan_endpoint *made = &plan->endpoints[plan->endpoint_count++];
  *made = (windlass_plan_endpoint){.parameter = parameter, .host = host, .port = port};
  return made;
}

void windlass_endpoint_url(windlass_plan *plan, const windlass_url *url) {
  bool secure = strcmp(url->scheme, "https") == 0;
  if (!secure && strcmp(url->scheme, "http") != 0) {
    windlass_problem(plan, url->parameter, "is neither an http nor an https URL");
    return;
  }
  uint16_t port = url->port != 0 ? url->port : secure ? 443 : 80;
  windlass_plan_endpoint *made = endpoint(plan, url->parameter, url->host, port);
  if (made != NULL) made->secure = secure;
}

void windlass_endpoint_address(windlass_plan *plan, const windlass_address *address) {
  endpoint(plan, address->parameter, address->host, address->port);
}

void windlass_endpoint_tls(windlass_plan *plan, const windlass_tls *tls) {
  if (plan->endpoint_count == 0) return;
  windlass_plan_endpoint *last = &plan->endpoints[plan->endpoint_count - 1];
  last->secure = true;
  last->tls = *tls;
}

void windlass_group(windlass_plan *plan, const char *group) {
  plan->group = windlass_copy(&plan->arena, group, strlen(group));
}

// A host and its port, which may be missing; the colons of an IPv6 address stand in brackets. What is wrong with it, or NULL.
static const char *host_port(windlass_arena *arena, const char *from, size_t length, const char **host, uint16_t *port) {
  size_t end = length, colon = length;
  for (size_t i = 0; i < length; i++) {
    if (from[i] == ':') colon = i;
    if (from[i] == ']') colon = length;
  }
  *port = 0;
  if (colon < length) {
    unsigned long number = 0;
    for (size_t i = colon + 1; i < length; i++) {
      if (from[i] < '0' || from[i] > '9' || (number = number * 10 + (unsigned long)(from[i] - '0')) > 65535) {
        return "names a port that is not between 1 and 65535";
      }
    }
    if (number == 0 && colon + 1 < length) return "names a port that is not between 1 and 65535";
    *port = (uint16_t)number;
    end = colon;
  }
  if (end >= 2 && from[0] == '[' && from[end - 1] == ']') {
    from++;
    end -= 2;
  }
  if (end == 0) return "names no host";
  *host = windlass_copy(arena, from, end);
  return NULL;
}

static const char *read_url(windlass_arena *arena, const char *text, windlass_url *url) {
  const char *scheme = strstr(text, "://");
  if (scheme == NULL) return "is not an absolute URL: write it with its scheme";
  char *lower = windlass_copy(arena, text, (size_t)(scheme - text));
  for (char *at = lower; *at != 0; at++) {
    if (*at >= 'A' && *at <= 'Z') *at += 'a' - 'A';
  }
  url->scheme = lower;
  const char *authority = scheme + 3, *end = authority + strcspn(authority, "/?#");
  for (const char *at = authority; at < end; at++) {
    if (*at == '@') authority = at + 1;
  }
  const char *path = windlass_copy(arena, end, strcspn(end, "#"));
  url->target = *path == '/' ? path : windlass_format(arena, "/%s", path);
  return host_port(arena, authority, (size_t)(end - authority), &url->host, &url->port);
}

// One value into its member; what is wrong with it, or NULL. The host has checked the form already.
static const char *read_value(windlass_arena *arena, const windlass_parameter *parameter, const windlass_set *set, char *into) {
  if (parameter->secrecy == WINDLASS_SEALED && parameter->shape != WINDLASS_URL) {
    *(windlass_sealed *)(void *)into = parameter->name;
    return NULL;
  }
  if (set->text == NULL) return "is sealed, but its text is needed";
  const char *text = windlass_copy(arena, set->text, strlen(set->text));
  char *end = "";
  errno = 0;
  void *member = into;
  switch (parameter->shape) {
    case WINDLASS_INTEGER: *(int64_t *)member = strtoll(text, &end, 10); break;
    case WINDLASS_DURATION: *(uint64_t *)member = strtoull(text, &end, 10); break;
    case WINDLASS_NUMBER: *(double *)member = strtod(text, &end); break;
    case WINDLASS_BOOLEAN: *(bool *)member = strcmp(text, "true") == 0; break;
    case WINDLASS_URL: {
      windlass_url *url = member;
      url->parameter = parameter->name;
      return read_url(arena, text, url);
    }
    case WINDLASS_ADDRESS: {
      windlass_address *address = member;
      address->parameter = parameter->name;
      const char *wrong = host_port(arena, text, strlen(text), &address->host, &address->port);
      return wrong == NULL && address->port == 0 ? "names no port: write host:port" : wrong;
    }
    default: *(const char **)member = text;
  }
  return *end != 0 || errno != 0 || text[0] == 0 ? "is not a number that fits" : NULL;
}

void *windlass_read(const windlass_scaler *scaler, const windlass_trigger *trigger, windlass_arena *arena, windlass_plan *plan) {
  char *parameters = windlass_alloc(arena, scaler->size);
  for (size_t i = 0; i < scaler->parameter_count; i++) {
    const windlass_parameter *parameter = &scaler->parameters[i];
    const windlass_set *set = NULL;
    for (size_t j = 0; j < trigger->count && set == NULL; j++) {
      if (strcmp(trigger->values[j].name, parameter->name) == 0) set = &trigger->values[j];
    }
    const char *wrong = set == NULL ? (parameter->required ? "is required" : NULL)
                                    : read_value(arena, parameter, set, parameters + parameter->offset);
    if (wrong != NULL) windlass_problem(plan, parameter->name, "%s", wrong);
  }
  return parameters;
}

void windlass_configure(const windlass_scaler *scaler, const windlass_trigger *trigger, windlass_plan *plan) {
  void *parameters = windlass_read(scaler, trigger, &plan->arena, plan);
  if (plan->problem_count == 0) scaler->configure(plan, parameters);
}
