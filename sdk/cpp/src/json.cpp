#include "json.h"
#include <cmath>
#include <cstdint>
#include <cstdlib>

namespace json {
namespace {

// How deep lists and objects may stand in one another.
constexpr int kDepth = 64;

bool digit(char c) { return c >= '0' && c <= '9'; }

// Reads forward through a text. Whoever reads past what it should finds a zero.
struct Reader {
  std::string_view text;
  size_t at = 0;

  char peek() const { return at < text.size() ? text[at] : '\0'; }
  bool take(char c) { return peek() == c && at < text.size() ? (at++, true) : false; }
  bool take(std::string_view word) {
    if (text.substr(at, word.size()) != word) return false;
    at += word.size();
    return true;
  }
  void space() {
    while (peek() == ' ' || peek() == '\t' || peek() == '\n' || peek() == '\r') at++;
  }
  size_t digits() {
    size_t from = at;
    while (digit(peek())) at++;
    return at - from;
  }

  std::optional<Value> value(int depth) {
    space();
    switch (peek()) {
      case '{': return depth < kDepth ? object(depth) : std::nullopt;
      case '[': return depth < kDepth ? list(depth) : std::nullopt;
      case '"': {
        auto found = string();
        return found ? std::optional<Value>(Value{std::move(*found)}) : std::nullopt;
      }
      case 't': return take("true") ? std::optional<Value>(Value{}) : std::nullopt;
      case 'f': return take("false") ? std::optional<Value>(Value{}) : std::nullopt;
      case 'n': return take("null") ? std::optional<Value>(Value{}) : std::nullopt;
      default: return number();
    }
  }

  std::optional<Value> object(int depth) {
    Object all;
    at++;
    space();
    if (take('}')) return Value{std::move(all)};
    do {
      space();
      auto name = string();
      space();
      if (!name || !take(':')) return std::nullopt;
      auto own = value(depth + 1);
      if (!own) return std::nullopt;
      all.insert_or_assign(std::move(*name), std::move(*own));
      space();
    } while (take(','));
    return take('}') ? std::optional<Value>(Value{std::move(all)}) : std::nullopt;
  }

  std::optional<Value> list(int depth) {
    List all;
    at++;
    space();
    if (take(']')) return Value{std::move(all)};
    do {
      auto own = value(depth + 1);
      if (!own) return std::nullopt;
      all.push_back(std::move(*own));
      space();
    } while (take(','));
    return take(']') ? std::optional<Value>(Value{std::move(all)}) : std::nullopt;
  }

  std::optional<Value> number() {
    size_t from = at;
    take('-');
    bool zero = peek() == '0';
    size_t whole = digits();
    if (whole == 0 || (zero && whole > 1)) return std::nullopt;
    if (take('.') && digits() == 0) return std::nullopt;
    if (take('e') || take('E')) {
      if (!take('+')) take('-');
      if (digits() == 0) return std::nullopt;
    }
    return Value{std::strtod(std::string(text.substr(from, at - from)).c_str(), nullptr)};
  }

  std::optional<uint32_t> hex() {
    uint32_t code = 0;
    for (int i = 0; i < 4; i++) {
      char c = peek();
      int own = digit(c) ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
      if (own < 0) return std::nullopt;
      code = code * 16 + static_cast<uint32_t>(own);
      at++;
    }
    return code;
  }

  bool escape(std::string &into) {
    constexpr std::string_view plain = "\"\\/bfnrt", means = "\"\\/\b\f\n\r\t";
    char c = peek();
    at++;
    if (size_t place = plain.find(c); place != plain.npos && c != '\0') {
      into += means[place];
      return true;
    }
    auto code = c == 'u' ? hex() : std::nullopt;
    if (!code || (*code >= 0xdc00 && *code < 0xe000)) return false;
    if (*code >= 0xd800 && *code < 0xdc00) {
      auto low = take("\\u") ? hex() : std::nullopt;
      if (!low || *low < 0xdc00 || *low >= 0xe000) return false;
      *code = 0x10000 + ((*code - 0xd800) << 10) + (*low - 0xdc00);
    }
    if (*code < 0x80) {
      into += static_cast<char>(*code);
      return true;
    }
    int following = *code < 0x800 ? 1 : *code < 0x10000 ? 2 : 3;
    constexpr int leading[] = {0, 0xc0, 0xe0, 0xf0};
    into += static_cast<char>(leading[following] | *code >> 6 * following);
    for (int left = following - 1; left >= 0; left--) into += static_cast<char>(0x80 | (*code >> 6 * left & 0x3f));
    return true;
  }

  std::optional<std::string> string() {
    if (!take('"')) return std::nullopt;
    std::string found;
    while (at < text.size()) {
      char c = text[at];
      if (static_cast<unsigned char>(c) < 0x20) return std::nullopt;
      at++;
      if (c == '"') return found;
      if (c != '\\') {
        found += c;
      } else if (!escape(found)) {
        return std::nullopt;
      }
    }
    return std::nullopt;
  }
};

// Whether a text is UTF-8, each code point in its shortest form.
bool utf8(std::string_view text) {
  for (size_t at = 0; at < text.size();) {
    auto byte = [&](size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0u; };
    uint32_t first = byte(at);
    size_t following = first < 0x80 ? 0 : first >= 0xf0 ? 3 : first >= 0xe0 ? 2 : 1;
    if (following > 0 && (first < 0xc2 || first > 0xf4)) return false;
    uint32_t code = following == 0 ? first : first & (0x3fu >> following);
    for (size_t i = 1; i <= following; i++) {
      if ((byte(at + i) & 0xc0) != 0x80) return false;
      code = code << 6 | (byte(at + i) & 0x3f);
    }
    constexpr uint32_t least[] = {0, 0x80, 0x800, 0x10000};
    if (code < least[following] || code > 0x10ffff || (code >= 0xd800 && code < 0xe000)) return false;
    at += following + 1;
  }
  return true;
}

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view space = " \t\n\r\v\f";
  size_t from = text.find_first_not_of(space);
  return from == text.npos ? "" : text.substr(from, text.find_last_not_of(space) - from + 1);
}

// [+-] digits, with a point and an exponent where one likes.
std::optional<double> written(std::string_view text) {
  Reader reader{trimmed(text)};
  if (!reader.take('+')) reader.take('-');
  size_t before = reader.digits();
  size_t after = reader.take('.') ? reader.digits() : 0;
  if (before + after == 0) return std::nullopt;
  if (reader.take('e') || reader.take('E')) {
    if (!reader.take('+')) reader.take('-');
    if (reader.digits() == 0) return std::nullopt;
  }
  if (reader.at != reader.text.size()) return std::nullopt;
  return std::strtod(std::string(reader.text).c_str(), nullptr);
}

const Value *step(const Value &value, std::string_view name) {
  if (auto object = std::get_if<Object>(&value.is)) {
    auto found = object->find(name);
    return found == object->end() ? nullptr : &found->second;
  }
  auto list = std::get_if<List>(&value.is);
  if (!list || name.empty() || name.size() > 9) return nullptr;
  size_t index = 0;
  for (char c : name) {
    if (!digit(c)) return nullptr;
    index = index * 10 + static_cast<size_t>(c - '0');
  }
  return index < list->size() ? &(*list)[index] : nullptr;
}

}  // namespace

std::optional<Value> parse(std::string_view text) {
  if (!utf8(text)) return std::nullopt;
  Reader reader{text};
  auto found = reader.value(0);
  reader.space();
  return found && reader.at == text.size() ? std::move(found) : std::nullopt;
}

const Value *at(const Value &document, std::string_view path) {
  const Value *found = &document;
  for (;;) {
    size_t dot = path.find('.');
    found = step(*found, path.substr(0, dot));
    if (!found || dot == path.npos) return found;
    path.remove_prefix(dot + 1);
  }
}

std::optional<double> number(const Value &value) {
  std::optional<double> found;
  if (auto own = std::get_if<double>(&value.is)) found = *own;
  if (auto text = std::get_if<std::string>(&value.is)) found = written(*text);
  return found && std::isfinite(*found) ? found : std::nullopt;
}

}  // namespace json
