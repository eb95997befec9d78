// Between the SDK's parts: what the host gives (host.c in a component, test/script.c in tests), and what it calls.
#ifndef WINDLASS_HOST_H
#define WINDLASS_HOST_H

#include "windlass.h"

typedef struct {
  windlass_kind kind;
  const char *message;
  uint64_t retry_after_ms;  // 0: not said
} windlass_failure;

typedef struct {
  enum { WINDLASS_UNTOLD, WINDLASS_READY, WINDLASS_FAILED, WINDLASS_LATER } tag;
  const double *values;
  size_t value_count;
  bool has_active, active;
  uint64_t next_ms;   // 0: not said
  const void *state;  // NULL: as it is
  size_t state_length;
  uint64_t retry_ms;
  windlass_failure failure;
} windlass_outcome;

// A parameter that is set; the text of a sealed one is NULL.
typedef struct {
  const char *name, *text;
} windlass_set;

typedef struct {
  const char *type;
  const windlass_set *values;
  size_t count;
} windlass_trigger;

typedef struct {
  windlass_trigger trigger;
  const uint8_t *state;
  size_t state_length;
} windlass_asked;

typedef struct {
  uint64_t now_ms;
  uint32_t budget_ms;
  const windlass_asked *queries;
  size_t count;
} windlass_batch;

typedef struct {
  const char *name;
  double target, activation;
} windlass_plan_metric;

typedef struct {
  const char *parameter, *host;
  uint16_t port;
  bool secure;
  windlass_tls tls;
} windlass_plan_endpoint;

typedef struct {
  const char *parameter, *message;
} windlass_plan_problem;

enum { WINDLASS_MOST = 16 };

struct windlass_plan {
  windlass_arena arena;
  windlass_plan_metric metrics[WINDLASS_MOST];
  windlass_plan_endpoint endpoints[WINDLASS_MOST];
  windlass_plan_problem problems[WINDLASS_MOST];
  size_t metric_count, endpoint_count, problem_count;
  const char *group;
};

typedef struct {
  const char *scheme;
  windlass_pair secrets[2], settings[1];
  size_t secret_count, setting_count;
} windlass_credential;

// The rest of a request.
struct windlass_more {
  windlass_query *query;
  windlass_pair headers[WINDLASS_MOST];
  windlass_credential credentials[4];
  size_t header_count, credential_count;
  windlass_response *response;
  windlass_request *next;
};

// A query that is being asked; what its round has come to.
typedef struct {
  windlass_query *query;
  void *parameters;
  bool over, again;
} windlass_member;

// What the host calls.
void windlass_configure(const windlass_scaler *scaler, const windlass_trigger *trigger, windlass_plan *plan);
void windlass_poll(const windlass_scaler *scaler, const windlass_batch *batch);

// Fills the struct of parameters; what is wrong becomes problems of the plan.
void *windlass_read(const windlass_scaler *scaler, const windlass_trigger *trigger, windlass_arena *arena, windlass_plan *plan);
// Answers queries over TCP.
void windlass_converse(const windlass_scaler *scaler, windlass_member *members, size_t count, uint64_t end_ms);
// Makes the blocks of one arena another's.
void windlass_adopt(windlass_arena *arena, windlass_arena *from);
windlass_outcome *windlass_outcome_of(windlass_query *query);
uint32_t windlass_number_of(const windlass_query *query);
void windlass_failed(windlass_query *query, const windlass_failure *failure);
// Tells the outcome, and frees the query.
void windlass_tell(windlass_query *query);

// What the host gives. Failures and data are allocated in the arena.
typedef struct windlass_exchange windlass_exchange;
typedef struct windlass_stream windlass_stream;
void windlass_host_put(uint32_t query, const windlass_outcome *outcome);
windlass_exchange *windlass_host_send(windlass_request *const *requests, size_t count);
// The next answer to come: false when all have been told.
bool windlass_host_next(windlass_exchange *exchange, size_t *place, bool *failed, windlass_failure *failure, windlass_response *response);
windlass_stream *windlass_host_open(uint32_t query, uint32_t endpoint, bool *fresh, windlass_failure *failure, windlass_arena *arena);
bool windlass_host_start_tls(windlass_stream *stream, windlass_failure *failure, windlass_arena *arena);
bool windlass_host_write(windlass_stream *stream, const void *data, size_t length, windlass_failure *failure, windlass_arena *arena);
bool windlass_host_read(windlass_stream *stream, uint32_t most, const uint8_t **data, size_t *length, windlass_failure *failure, windlass_arena *arena);
void windlass_host_keep(windlass_stream *stream);
void windlass_host_close(windlass_stream *stream);
// Waits until some can be read or have failed; marks them and tells how many.
size_t windlass_host_wait(windlass_stream *const *on, size_t count, uint32_t timeout_ms, bool *ready);
uint64_t windlass_host_clock_ms(void);
void windlass_host_random(void *into, size_t length);
void windlass_host_log(windlass_level level, uint32_t query, const char *message);

#endif
