// JSON as RFC 8259 has it, strictly: what is almost JSON is none.
#pragma once
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace json {

struct Value;
using List = std::vector<Value>;
using Object = std::map<std::string, Value, std::less<>>;

// Null and the two booleans are nothing that a number could be found in.
struct Other {};

struct Value {
  std::variant<Other, double, std::string, List, Object> is;
};

// The document in a text, or nothing.
std::optional<Value> parse(std::string_view text);

// The value at a dotted path: names, and digits as indices of lists.
const Value *at(const Value &document, std::string_view path);

// A number, or a text that is one.
std::optional<double> number(const Value &value);

}  // namespace json
