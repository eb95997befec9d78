// A scaler in C++ against the bare contract: the number at a place in a JSON document, as the templates of all SDKs have it.
//
// One send for the whole batch; each outcome is told as its answer comes. An instance lives for one call, so nothing that the host
// hands over is freed; what is returned is freed by the bindings.
#include "json.h"
#include "scaler.h"
#include <cstdlib>
#include <cstring>

// wit-bindgen wants the contract's type as an object file; here it is added when the module becomes a component.
extern "C" void __component_type_object_force_link_scaler(void) {}

namespace {

using Trigger = exports_windlass_scaler_polled_trigger_t;
using Answer = exports_windlass_scaler_polled_result_plan_list_problem_t;
using Outcome = windlass_scaler_types_outcome_t;
using Parameter = windlass_scaler_types_parameter_t;
using Kind = windlass_scaler_types_failure_kind_t;
using Pair = scaler_tuple2_string_string_t;

constexpr const char *kName = "cpp-queue";

scaler_string_t copy(std::string_view from) {
  scaler_string_t to;
  scaler_string_dup_n(&to, from.data(), from.size());
  return to;
}

std::string_view view(const scaler_string_t &text) { return {reinterpret_cast<const char *>(text.ptr), text.len}; }

template <typename T>
T *room(size_t count) {
  return static_cast<T *>(std::calloc(count == 0 ? 1 : count, sizeof(T)));
}

// A parameter's text, where it is set and not sealed.
std::optional<std::string_view> text(const Trigger &trigger, std::string_view name) {
  for (size_t i = 0; i < trigger.values.len; i++) {
    const auto &value = trigger.values.ptr[i];
    if (view(value.name) == name && value.text.is_some) return view(value.text.val);
  }
  return std::nullopt;
}

bool set(const Trigger &trigger, std::string_view name) {
  for (size_t i = 0; i < trigger.values.len; i++) {
    if (view(trigger.values.ptr[i].name) == name) return true;
  }
  return false;
}

double number(const Trigger &trigger, std::string_view name) {
  auto found = text(trigger, name);
  return found ? std::strtod(std::string(*found).c_str(), nullptr) : 0;
}

// What is needed of a URL; the host has checked its form.
struct Url {
  bool tls;
  std::string_view host;
  uint16_t port;
  std::string target;
};

std::optional<Url> url(std::string_view written) {
  bool tls = written.starts_with("https://");
  if (!tls && !written.starts_with("http://")) return std::nullopt;
  written.remove_prefix(tls ? 8 : 7);
  written = written.substr(0, written.find('#'));
  size_t end = std::min(written.find('/'), written.find('?'));
  std::string_view authority = written.substr(0, end);
  if (size_t user = authority.rfind('@'); user != authority.npos) authority.remove_prefix(user + 1);
  std::string target(end == written.npos ? "" : written.substr(end));
  if (!target.starts_with('/')) target.insert(0, "/");
  size_t colon = authority.ends_with(']') ? authority.npos : authority.rfind(':');
  unsigned port = tls ? 443 : 80;
  if (colon != authority.npos) port = static_cast<unsigned>(std::atoi(std::string(authority.substr(colon + 1)).c_str()));
  if (authority.substr(0, colon).empty() || port == 0 || port > 65535) return std::nullopt;
  return Url{tls, authority.substr(0, colon), static_cast<uint16_t>(port), std::move(target)};
}

Parameter parameter(const char *name, windlass_scaler_types_shape_t shape, const char *initial, const char *doc) {
  Parameter parameter{};
  parameter.name = copy(name);
  parameter.shape = shape;
  parameter.initial.is_some = initial != nullptr;
  if (initial != nullptr) parameter.initial.val = copy(initial);
  parameter.origin = WINDLASS_SCALER_TYPES_ORIGIN_METADATA;
  parameter.doc = copy(doc);
  return parameter;
}

void problem(Answer &answer, const char *parameter, const char *message) {
  answer.is_err = true;
  auto &all = answer.val.err;
  all.len = 1;
  all.ptr = room<exports_windlass_scaler_polled_problem_t>(1);
  all.ptr[0].parameter.is_some = true;
  all.ptr[0].parameter.val = copy(parameter);
  all.ptr[0].message = copy(message);
}

// A metric's name as KEDA writes it.
std::string normalized(std::string name) {
  for (char &c : name) {
    if (std::strchr("/.:%()", c) != nullptr && c != '\0') c = '-';
  }
  return name;
}

void plan(const Trigger &trigger, Answer &answer) {
  auto source = url(text(trigger, "url").value_or(""));
  if (!source) return problem(answer, "url", "is neither an http nor an https URL");
  double target = number(trigger, "targetValue");
  if (!(target > 0)) return problem(answer, "targetValue", "must be greater than zero");
  auto &plan = answer.val.ok;
  plan.metrics.tag = WINDLASS_SCALER_TYPES_METRICS_FIXED;
  auto &metrics = plan.metrics.val.fixed;
  metrics.len = 1;
  metrics.ptr = room<windlass_scaler_types_metric_t>(1);
  metrics.ptr[0].name = copy(normalized(kName + ("-" + std::string(text(trigger, "valueLocation").value_or("")))));
  metrics.ptr[0].target = target;
  metrics.ptr[0].activation = number(trigger, "activationTargetValue");
  plan.endpoints.len = 1;
  plan.endpoints.ptr = room<windlass_scaler_types_endpoint_t>(1);
  auto &endpoint = plan.endpoints.ptr[0];
  endpoint.parameter.is_some = true;
  endpoint.parameter.val = copy("url");
  endpoint.host = copy(source->host);
  endpoint.port = source->port;
  endpoint.tls.is_some = source->tls;
  endpoint.tls.val.verify = source->tls;
  plan.requests = 1;
}

void fail(uint32_t query, Kind kind, std::string_view message, std::optional<uint64_t> retry_ms = std::nullopt) {
  Outcome outcome{};
  outcome.tag = WINDLASS_SCALER_TYPES_OUTCOME_FAILED;
  outcome.val.failed.kind = kind;
  outcome.val.failed.message = copy(message);
  outcome.val.failed.retry_after_ms.is_some = retry_ms.has_value();
  outcome.val.failed.retry_after_ms.val = retry_ms.value_or(0);
  windlass_scaler_report_put(query, &outcome);
}

// What a status that is not 2xx means.
Kind meaning(unsigned status) {
  switch (status) {
    case 401: case 403: case 407: return WINDLASS_SCALER_TYPES_FAILURE_KIND_AUTH;
    case 404: case 410: return WINDLASS_SCALER_TYPES_FAILURE_KIND_NOT_FOUND;
    case 429: return WINDLASS_SCALER_TYPES_FAILURE_KIND_THROTTLED;
    case 408: case 504: return WINDLASS_SCALER_TYPES_FAILURE_KIND_TIMEOUT;
    default:
      return status >= 500 ? WINDLASS_SCALER_TYPES_FAILURE_KIND_UNREACHABLE : WINDLASS_SCALER_TYPES_FAILURE_KIND_BAD_RESPONSE;
  }
}

// Seconds, the only form of Retry-After that is read here.
std::optional<uint64_t> retry_ms(const windlass_scaler_http_response_t &response) {
  for (size_t i = 0; i < response.headers.len; i++) {
    const Pair &header = response.headers.ptr[i];
    if (view(header.f0) != "retry-after") continue;
    char *end;
    std::string value(view(header.f1));
    unsigned long long seconds = std::strtoull(value.c_str(), &end, 10);
    if (end != value.c_str() && *end == '\0' && seconds < 1000000) return seconds * 1000;
  }
  return std::nullopt;
}

// A body to its end; nothing: it failed, and that was told.
std::optional<std::string> whole(uint32_t query, windlass_scaler_http_own_body_t body) {
  std::string all;
  for (;;) {
    scaler_list_u8_t piece;
    Outcome outcome{};
    outcome.tag = WINDLASS_SCALER_TYPES_OUTCOME_FAILED;
    if (!windlass_scaler_http_method_body_read(windlass_scaler_http_borrow_body(body), 65536, &piece, &outcome.val.failed)) {
      windlass_scaler_report_put(query, &outcome);
      return std::nullopt;
    }
    if (piece.len == 0) return all;
    all.append(reinterpret_cast<const char *>(piece.ptr), piece.len);
    if (all.size() > 1 << 20) {
      fail(query, WINDLASS_SCALER_TYPES_FAILURE_KIND_BAD_RESPONSE, "the answer is longer than 1048576 bytes");
      return std::nullopt;
    }
    scaler_list_u8_free(&piece);
  }
}

void answered(uint32_t query, const Trigger &trigger, windlass_scaler_http_response_t &response) {
  unsigned status = response.status;
  if (status < 200 || status > 299) {
    std::string message = "the source answered " + std::to_string(status);
    if (status >= 300 && status < 400) message += ": redirects are not followed, write the final address";
    return fail(query, meaning(status), message, retry_ms(response));
  }
  auto body = whole(query, response.body);
  if (!body) return;
  auto document = json::parse(*body);
  std::string location(text(trigger, "valueLocation").value_or(""));
  auto bad = [&](const std::string &message) { fail(query, WINDLASS_SCALER_TYPES_FAILURE_KIND_BAD_RESPONSE, message); };
  if (!document) return bad("the answer is not JSON");
  const json::Value *found = json::at(*document, location);
  if (!found) return bad("valueLocation: \"" + location + "\" is not in the answer");
  auto value = json::number(*found);
  if (!value) return bad("valueLocation: \"" + location + "\" is not a number");
  Outcome outcome{};
  outcome.tag = WINDLASS_SCALER_TYPES_OUTCOME_READY;
  outcome.val.ready.values.ptr = &*value;
  outcome.val.ready.values.len = 1;
  windlass_scaler_report_put(query, &outcome);
}

windlass_scaler_http_request_t request(uint32_t query, const Trigger &trigger, std::string_view target) {
  windlass_scaler_http_request_t request{};
  request.query = query;
  request.method = copy("GET");
  request.target = copy(target);
  request.headers.len = 1;
  request.headers.ptr = room<Pair>(1);
  request.headers.ptr[0] = {copy("accept"), copy("application/json")};
  if (set(trigger, "token")) {
    request.credentials.len = 1;
    request.credentials.ptr = room<windlass_scaler_http_credential_t>(1);
    auto &credential = request.credentials.ptr[0];
    credential.scheme = copy("bearer");
    credential.secrets.len = 1;
    credential.secrets.ptr = room<Pair>(1);
    credential.secrets.ptr[0] = {copy("token"), copy("token")};
  }
  return request;
}

}  // namespace

void exports_windlass_scaler_polled_describe(exports_windlass_scaler_polled_info_t *info) {
  *info = {};
  info->name = copy(kName);
  info->version = copy("0.1.0");
  info->triggers.len = 1;
  info->triggers.ptr = room<scaler_string_t>(1);
  info->triggers.ptr[0] = copy(kName);
  Parameter address = parameter("url", WINDLASS_SCALER_TYPES_SHAPE_URL, nullptr,
                                "Address that answers with JSON, for instance http://queues.shop:8080/stats.");
  address.required = true;
  address.origin |= WINDLASS_SCALER_TYPES_ORIGIN_ENVIRONMENT;
  Parameter token = parameter("token", WINDLASS_SCALER_TYPES_SHAPE_TEXT, nullptr, "Sent as bearer token, where it is set.");
  token.secrecy = WINDLASS_SCALER_TYPES_SECRECY_SEALED;
  token.origin = WINDLASS_SCALER_TYPES_ORIGIN_AUTHENTICATION;
  const Parameter all[] = {
      address,
      parameter("valueLocation", WINDLASS_SCALER_TYPES_SHAPE_TEXT, "value",
                "Where the number is: names joined by dots; a number is an index into a list, as in queues.0.length."),
      parameter("targetValue", WINDLASS_SCALER_TYPES_SHAPE_NUMBER, "5", "Value per replica."),
      parameter("activationTargetValue", WINDLASS_SCALER_TYPES_SHAPE_NUMBER, "0", "The workload is active above this value."),
      token,
  };
  info->parameters.len = std::size(all);
  info->parameters.ptr = room<Parameter>(std::size(all));
  std::memcpy(info->parameters.ptr, all, sizeof all);
}

void exports_windlass_scaler_polled_configure(exports_windlass_scaler_polled_list_trigger_t *triggers,
                                              exports_windlass_scaler_polled_list_result_plan_list_problem_t *answers) {
  answers->len = triggers->len;
  answers->ptr = room<Answer>(triggers->len);
  for (size_t i = 0; i < triggers->len; i++) plan(triggers->ptr[i], answers->ptr[i]);
}

void exports_windlass_scaler_polled_poll(exports_windlass_scaler_polled_batch_t *batch) {
  std::vector<windlass_scaler_http_request_t> all;
  for (uint32_t query = 0; query < batch->queries.len; query++) {
    const Trigger &trigger = batch->queries.ptr[query].trigger;
    if (auto source = url(text(trigger, "url").value_or(""))) {
      all.push_back(request(query, trigger, source->target));
    } else {
      fail(query, WINDLASS_SCALER_TYPES_FAILURE_KIND_INVALID, "url: is neither an http nor an https URL");
    }
  }
  if (all.empty()) return;
  windlass_scaler_http_list_request_t requests = {all.data(), all.size()};
  auto exchange = windlass_scaler_http_send(&requests);
  windlass_scaler_http_tuple2_u32_result_response_failure_t told;
  while (windlass_scaler_http_method_exchange_next(windlass_scaler_http_borrow_exchange(exchange), &told)) {
    uint32_t query = all[told.f0].query;
    if (told.f1.is_err) {
      Outcome outcome{};
      outcome.tag = WINDLASS_SCALER_TYPES_OUTCOME_FAILED;
      outcome.val.failed = told.f1.val.err;
      windlass_scaler_report_put(query, &outcome);
    } else {
      answered(query, batch->queries.ptr[query].trigger, told.f1.val.ok);
      windlass_scaler_http_body_drop_own(told.f1.val.ok.body);
    }
  }
  windlass_scaler_http_exchange_drop_own(exchange);
}
