// What a scaler in C is written with.
//
// A scaler is one constant, `windlass_scaler_exported`: a table of parameters, a function that makes a plan of what a user wrote,
// and functions that are called when it is a query's turn. Those never wait: `ask` says what to send over HTTP and `answer` is given
// the responses; over TCP `connected` writes and `received` is given what has come. So one thread serves a whole batch: all requests
// leave in one call to the host, all connections are waited for together, and each outcome is told as soon as it is known.
//
// Memory that is got with windlass_alloc or by any function below belongs to a query and is freed with it. Texts end with a zero.
// There is no clock, no randomness, no file and no socket but what is declared here; what is printed goes nowhere.
#ifndef WINDLASS_H
#define WINDLASS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// ---- Memory

// Memory that is freed as a whole.
typedef struct windlass_arena {
  struct windlass_block *blocks;
} windlass_arena;

// Zeroed memory. The component ends where there is none.
void *windlass_alloc(windlass_arena *arena, size_t size);
// A text as printf makes it.
__attribute__((format(printf, 2, 3))) char *windlass_format(windlass_arena *arena, const char *format, ...);
// A copy with a zero after it.
char *windlass_copy(windlass_arena *arena, const void *from, size_t length);
void windlass_free(windlass_arena *arena);

// ---- Parameters

// The form of a value, checked by the host.
typedef enum {
  WINDLASS_TEXT, WINDLASS_INTEGER, WINDLASS_NUMBER, WINDLASS_BOOLEAN, WINDLASS_DURATION, WINDLASS_URL, WINDLASS_ADDRESS,
  WINDLASS_ADDRESSES, WINDLASS_TEXTS, WINDLASS_PAIRS,
} windlass_shape;

// Who may see it. Sealed: the scaler only names it. Revealed: it needs the text, for a log-in over TCP.
typedef enum { WINDLASS_OPEN, WINDLASS_SEALED, WINDLASS_REVEALED } windlass_secrecy;

// Where it may come from; added together. 0 is metadata.
enum { WINDLASS_METADATA = 1, WINDLASS_ENVIRONMENT = 2, WINDLASS_AUTHENTICATION = 4 };

// An absolute URL that the user wrote in a parameter.
typedef struct {
  const char *parameter, *scheme, *host;
  uint16_t port;       // as written; 0: none is
  const char *target;  // path and query as written, from '/'
} windlass_url;

// A host and a port that the user wrote in a parameter.
typedef struct {
  const char *parameter, *host;
  uint16_t port;
} windlass_address;

// A secret that the scaler only names: NULL when it is not set, else its parameter.
typedef const char *windlass_sealed;

// A declared parameter, and where its value goes in the struct of parameters. By shape the member there is: text `const char *`
// (or windlass_sealed), integer `int64_t`, number `double`, boolean `bool`, duration `uint64_t` in milliseconds, url `windlass_url`,
// address `windlass_address`; lists are `const char *`, entries joined by ','. What is not set is zero.
typedef struct {
  const char *name;
  windlass_shape shape;
  size_t offset;  // of the member, by offsetof
  bool required;
  const char *initial;            // the value when it is not set, as a user would write it
  const char *const *choices;     // allowed values, NULL at the end
  const char *const *aliases;     // other names, NULL at the end
  windlass_secrecy secrecy;
  uint8_t from;
  const char *deprecated;         // what to use instead
  const char *doc;
} windlass_parameter;

// ---- Plans

typedef struct windlass_plan windlass_plan;

// A metric, its name normalized as KEDA does.
__attribute__((format(printf, 4, 5))) void windlass_metric(windlass_plan *plan, double target, double activation, const char *format, ...);
// The endpoint of an http or https URL, the latter with verified TLS; any other is a problem. Requests name endpoints by their place.
void windlass_endpoint_url(windlass_plan *plan, const windlass_url *url);
// The endpoint of an address, without TLS.
void windlass_endpoint_address(windlass_plan *plan, const windlass_address *address);
// What is wrong with a parameter, or with several (NULL). The message does not repeat the name.
__attribute__((format(printf, 3, 4))) void windlass_problem(windlass_plan *plan, const char *parameter, const char *format, ...);

// How an endpoint is talked to; names of parameters that hold the material.
typedef struct {
  bool upgrade;   // not from the first byte, but at windlass_start_tls
  bool insecure;  // the peer's certificate is not verified
  const char *server_name, *ca, *certificate, *key, *key_password;
} windlass_tls;
// TLS for the endpoint that was added last.
void windlass_endpoint_tls(windlass_plan *plan, const windlass_tls *tls);
// Queries of equal group and endpoints may share a request.
void windlass_group(windlass_plan *plan, const char *group);

// ---- Queries

typedef enum {
  WINDLASS_INVALID, WINDLASS_AUTH, WINDLASS_UNREACHABLE, WINDLASS_TIMEOUT, WINDLASS_THROTTLED, WINDLASS_NOT_FOUND,
  WINDLASS_BAD_RESPONSE, WINDLASS_DENIED, WINDLASS_INTERNAL,
} windlass_kind;

typedef struct {
  const char *name, *value;
} windlass_pair;

// A query, while it is asked.
typedef struct {
  windlass_arena arena;
  const char *type;      // the trigger's
  uint64_t now_ms;       // wall time of the batch, since 1970
  const uint8_t *state;  // what this query left last time
  size_t state_length;
  uint32_t round;        // of `answer`, from 0
  struct windlass_inner *inner;
} windlass_query;

// The outcome: one of the three, once. windlass_values is for plans of several metrics.
void windlass_value(windlass_query *query, double value);
void windlass_values(windlass_query *query, const double *values, size_t count);
__attribute__((format(printf, 3, 4))) void windlass_fail(windlass_query *query, windlass_kind kind, const char *format, ...);
// The source has begun and has no value yet; the next poll finds the state.
void windlass_pending(windlass_query *query, uint64_t retry_ms, const void *state, size_t length);

// With a value: activity, where the scaler tells it; when to ask again at the latest; what the next poll wants to find.
void windlass_active(windlass_query *query, bool active);
void windlass_next(windlass_query *query, uint64_t ms);
void windlass_keep_state(windlass_query *query, const void *state, size_t length);

typedef enum { WINDLASS_DEBUG, WINDLASS_INFO, WINDLASS_WARN, WINDLASS_ERROR } windlass_level;
// A line in the host's log, under the query's name. No secrets, ever.
__attribute__((format(printf, 3, 4))) void windlass_log(windlass_query *query, windlass_level level, const char *format, ...);

// Random bytes of the host, at most 1 KiB at a time, for nonces.
void windlass_random(windlass_query *query, void *into, size_t length);

// ---- HTTP

// A request to an endpoint of the plan, to be sent when `ask` or `answer` returns.
typedef struct windlass_request {
  uint32_t endpoint;
  const char *method, *target;
  const void *body;
  size_t body_length;
  uint32_t timeout_ms;  // 0: the host's
  bool any_status;      // an answer of any status is given to `answer`, not only 2xx
  size_t max_body;      // the longest answer that is read, in bytes; 0: 1 MiB
  struct windlass_more *more;
} windlass_request;

// Asks the plan's first endpoint; `target` is path and query from '/', encoded.
windlass_request *windlass_get(windlass_query *query, const char *target);
windlass_request *windlass_post(windlass_query *query, const char *target, const char *type, const void *body, size_t length);
void windlass_header(windlass_request *request, const char *name, const char *value);
// What the host adds from secrets: bearer token; user name and password; a header; a parameter of the target's query.
void windlass_bearer(windlass_request *request, windlass_sealed token);
void windlass_basic(windlass_request *request, const char *username, windlass_sealed password);
void windlass_secret_header(windlass_request *request, const char *name, windlass_sealed value);
void windlass_secret_query(windlass_request *request, const char *name, windlass_sealed value);
// A name or a value for the query of a target: everything but letters, digits, '-', '_', '.' and '~' is encoded.
char *windlass_encode(windlass_query *query, const char *text);

// An answer, its body read to the end.
typedef struct {
  uint16_t status;
  const windlass_pair *headers;
  size_t header_count;
  const char *body;
  size_t length;
  windlass_arena arena;
} windlass_response;

// The first header of that name, in any case; NULL when there is none.
const char *windlass_header_of(const windlass_response *response, const char *name);
// Fails the query by the usual meaning of a status that is not 2xx; tells whether it is 2xx. For requests with any_status.
bool windlass_check(windlass_query *query, const windlass_response *response);

// ---- TCP

// A conversation's side of its connection.
typedef struct {
  bool fresh;            // new: log in first; else an earlier poll left it in good order, logged in already
  const uint8_t *input;  // what has come and has not been consumed
  size_t length;
  bool good;             // with a failure: the connection is in order all the same, and is kept
  struct windlass_output *output;
} windlass_wire;

void windlass_write(windlass_wire *wire, const void *data, size_t length);
// Marks the first bytes of the input as read.
void windlass_consume(windlass_wire *wire, size_t count);
// Goes on encrypted, once what was written is sent; then `connected` is called again.
void windlass_start_tls(windlass_wire *wire);

// ---- JSON

typedef enum {
  WINDLASS_JSON_NULL, WINDLASS_JSON_FALSE, WINDLASS_JSON_TRUE, WINDLASS_JSON_NUMBER, WINDLASS_JSON_TEXT, WINDLASS_JSON_ARRAY,
  WINDLASS_JSON_OBJECT,
} windlass_json_kind;

// A value, within its array or object.
typedef struct windlass_json {
  windlass_json_kind kind;
  double number;
  const char *text;  // UTF-8, unescaped
  size_t text_length;
  const char *name;  // in an object
  size_t name_length;
  struct windlass_json *first, *next;
} windlass_json;

// The document, or NULL: it is not JSON, is nested deeper than 64, has a number that is too large, or is not UTF-8.
const windlass_json *windlass_json_parse(windlass_arena *arena, const char *text, size_t length);
// What a dotted path leads to; in an array a number is an index. NULL: nothing.
const windlass_json *windlass_json_at(const windlass_json *value, const char *path);
// The number of a value; a text that is a number counts.
bool windlass_json_number(const windlass_json *value, double *number);

// ---- The scaler

typedef struct {
  const char *name, *version;
  const char *const *triggers;  // trigger types, NULL at the end; NULL: its name
  const char *const *needs;     // "learn", "owner"; NULL at the end
  const windlass_parameter *parameters;
  size_t parameter_count;
  size_t size;  // of the struct of parameters
  // Makes a plan of what a user wrote. Calls nothing of the host.
  void (*configure)(windlass_plan *plan, const void *parameters);
  // HTTP: says what to send, or tells the outcome at once. `answer` is given a response per request, in their order, and tells the
  // outcome or asks again.
  void (*ask)(windlass_query *query, const void *parameters);
  void (*answer)(windlass_query *query, const void *parameters, windlass_response *const *responses, size_t count);
  // TCP, in place of these: the first endpoint is connected to. Both may write and tell the outcome; without one, more is read.
  void (*connected)(windlass_query *query, const void *parameters, windlass_wire *wire);
  void (*received)(windlass_query *query, const void *parameters, windlass_wire *wire);
} windlass_scaler;

// To be defined by the scaler.
extern const windlass_scaler windlass_scaler_exported;

#endif
