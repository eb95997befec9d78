// A JSON reader: strict, and bounded in depth.
#include "windlass.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_DEPTH = 64 };

typedef struct {
  windlass_arena *arena;
  const unsigned char *at, *end;
} reader;

static void space(reader *in) {
  while (in->at < in->end && (*in->at == ' ' || *in->at == '\t' || *in->at == '\n' || *in->at == '\r')) in->at++;
}

static bool take(reader *in, char expected) {
  if (in->at == in->end || *in->at != (unsigned char)expected) return false;
  in->at++;
  return true;
}

static bool word(reader *in, const char *expected) {
  size_t length = strlen(expected);
  if ((size_t)(in->end - in->at) < length || memcmp(in->at, expected, length) != 0) return false;
  in->at += length;
  return true;
}

static size_t digits(reader *in) {
  const unsigned char *start = in->at;
  while (in->at < in->end && *in->at >= '0' && *in->at <= '9') in->at++;
  return (size_t)(in->at - start);
}

static bool number(reader *in, double *value) {
  const unsigned char *start = in->at;
  take(in, '-');
  const unsigned char *first = in->at;
  size_t whole = digits(in);
  if (whole == 0 || (whole > 1 && *first == '0')) return false;
  if (take(in, '.') && digits(in) == 0) return false;
  if (take(in, 'e') || take(in, 'E')) {
    if (!take(in, '+')) take(in, '-');
    if (digits(in) == 0) return false;
  }
  // strtod wants an end, and what follows could be read as a part of the number.
  char *text = windlass_copy(in->arena, start, (size_t)(in->at - start));
  *value = strtod(text, NULL);
  return isfinite(*value);
}

static bool hex(reader *in, uint32_t *code) {
  *code = 0;
  for (int i = 0; i < 4; i++) {
    if (in->at == in->end) return false;
    unsigned char c = *in->at++;
    uint32_t digit;
    if (c >= '0' && c <= '9') digit = c - '0';
    else if (c >= 'a' && c <= 'f') digit = c - 'a' + 10u;
    else if (c >= 'A' && c <= 'F') digit = c - 'A' + 10u;
    else return false;
    *code = *code << 4 | digit;
  }
  return true;
}

static char *encode(char *out, uint32_t code) {
  if (code < 0x80) {
    *out++ = (char)code;
  } else if (code < 0x800) {
    *out++ = (char)(0xC0 | code >> 6);
    *out++ = (char)(0x80 | (code & 0x3F));
  } else if (code < 0x10000) {
    *out++ = (char)(0xE0 | code >> 12);
    *out++ = (char)(0x80 | (code >> 6 & 0x3F));
    *out++ = (char)(0x80 | (code & 0x3F));
  } else {
    *out++ = (char)(0xF0 | code >> 18);
    *out++ = (char)(0x80 | (code >> 12 & 0x3F));
    *out++ = (char)(0x80 | (code >> 6 & 0x3F));
    *out++ = (char)(0x80 | (code & 0x3F));
  }
  return out;
}

// After a backslash. Half of a surrogate pair becomes U+FFFD.
static bool escape(reader *in, char **out) {
  static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
  if (in->at == in->end) return false;
  unsigned char c = *in->at++;
  if (c != 'u') {
    const char *found = c == 0 ? NULL : strchr(from, c);
    if (found == NULL) return false;
    *(*out)++ = to[found - from];
    return true;
  }
  uint32_t code, low;
  if (!hex(in, &code)) return false;
  if (code >= 0xD800 && code < 0xDC00) {
    reader ahead = *in;
    if (take(&ahead, '\\') && take(&ahead, 'u') && hex(&ahead, &low) && low >= 0xDC00 && low < 0xE000) {
      *in = ahead;
      code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
    }
  }
  if (code >= 0xD800 && code < 0xE000) code = 0xFFFD;
  *out = encode(*out, code);
  return true;
}

// The length of the UTF-8 sequence here; 0: it is none.
static size_t sequence(const reader *in) {
  const unsigned char *at = in->at;
  size_t length = *at < 0x80 ? 1 : *at >= 0xC2 && *at < 0xE0 ? 2 : *at >= 0xE0 && *at < 0xF0 ? 3 : *at >= 0xF0 && *at < 0xF5 ? 4 : 0;
  if (length == 0 || (size_t)(in->end - at) < length) return 0;
  for (size_t i = 1; i < length; i++) {
    if ((at[i] & 0xC0) != 0x80) return 0;
  }
  bool overlong = (*at == 0xE0 && at[1] < 0xA0) || (*at == 0xF0 && at[1] < 0x90);
  bool beyond = (*at == 0xED && at[1] >= 0xA0) || (*at == 0xF4 && at[1] >= 0x90);
  return overlong || beyond ? 0 : length;
}

// After the opening quote.
static bool string(reader *in, const char **text, size_t *length) {
  const unsigned char *close = in->at;
  while (close < in->end && *close != '"') close += *close == '\\' ? 2 : 1;
  if (close >= in->end) return false;
  // Unescaped it is never longer.
  char *out = windlass_alloc(in->arena, (size_t)(close - in->at) + 1);
  *text = out;
  while (in->at < close) {
    if (*in->at < 0x20) return false;
    if (*in->at == '\\') {
      in->at++;
      if (!escape(in, &out)) return false;
      continue;
    }
    size_t size = sequence(in);
    if (size == 0) return false;
    memcpy(out, in->at, size);
    out += size;
    in->at += size;
  }
  in->at++;
  *length = (size_t)(out - *text);
  return true;
}

static windlass_json *value(reader *in, int depth);

// After the opening bracket.
static bool members(reader *in, windlass_json *container, char close, int depth) {
  windlass_json **place = &container->first;
  space(in);
  if (take(in, close)) return true;
  do {
    const char *name = NULL;
    size_t length = 0;
    space(in);
    if (container->kind == WINDLASS_JSON_OBJECT) {
      if (!take(in, '"') || !string(in, &name, &length)) return false;
      space(in);
      if (!take(in, ':')) return false;
    }
    windlass_json *member = value(in, depth + 1);
    if (member == NULL) return false;
    member->name = name;
    member->name_length = length;
    *place = member;
    place = &member->next;
    space(in);
  } while (take(in, ','));
  return take(in, close);
}

static windlass_json *value(reader *in, int depth) {
  if (depth > MAX_DEPTH) return NULL;
  space(in);
  windlass_json *found = windlass_alloc(in->arena, sizeof *found);
  bool good;
  if (take(in, '{')) {
    found->kind = WINDLASS_JSON_OBJECT;
    good = members(in, found, '}', depth);
  } else if (take(in, '[')) {
    found->kind = WINDLASS_JSON_ARRAY;
    good = members(in, found, ']', depth);
  } else if (take(in, '"')) {
    found->kind = WINDLASS_JSON_TEXT;
    good = string(in, &found->text, &found->text_length);
  } else if (word(in, "true")) {
    found->kind = WINDLASS_JSON_TRUE;
    good = true;
  } else if (word(in, "false")) {
    found->kind = WINDLASS_JSON_FALSE;
    good = true;
  } else if (word(in, "null")) {
    good = true;
  } else {
    found->kind = WINDLASS_JSON_NUMBER;
    good = number(in, &found->number);
  }
  return good ? found : NULL;
}

const windlass_json *windlass_json_parse(windlass_arena *arena, const char *text, size_t length) {
  reader in = {arena, (const unsigned char *)text, (const unsigned char *)text + length};
  windlass_json *found = value(&in, 0);
  space(&in);
  return in.at == in.end ? found : NULL;
}

static const windlass_json *step(const windlass_json *container, const char *name, size_t length) {
  const windlass_json *found = NULL;
  if (container->kind == WINDLASS_JSON_OBJECT) {
    // Of equal names the last counts.
    for (const windlass_json *member = container->first; member != NULL; member = member->next) {
      if (member->name_length == length && memcmp(member->name, name, length) == 0) found = member;
    }
    return found;
  }
  if (container->kind != WINDLASS_JSON_ARRAY || length == 0 || length > 9) return NULL;
  size_t index = 0;
  for (size_t i = 0; i < length; i++) {
    if (name[i] < '0' || name[i] > '9') return NULL;
    index = index * 10 + (size_t)(name[i] - '0');
  }
  found = container->first;
  while (found != NULL && index-- > 0) found = found->next;
  return found;
}

const windlass_json *windlass_json_at(const windlass_json *value, const char *path) {
  while (value != NULL) {
    const char *dot = strchr(path, '.');
    value = step(value, path, dot == NULL ? strlen(path) : (size_t)(dot - path));
    if (dot == NULL) return value;
    path = dot + 1;
  }
  return NULL;
}

bool windlass_json_number(const windlass_json *value, double *number) {
  if (value->kind == WINDLASS_JSON_NUMBER) {
    *number = value->number;
    return true;
  }
  if (value->kind != WINDLASS_JSON_TEXT) return false;
  const char *start = value->text + strspn(value->text, " \t\r\n");
  // Nothing of what strtod takes beyond decimals: inf, nan, 0x1p3.
  size_t length = strspn(start, "0123456789+-.eE");
  size_t rest = strspn(start + length, " \t\r\n");
  if (length == 0 || start + length + rest != value->text + value->text_length) return false;
  char *end;
  *number = strtod(start, &end);
  return end == start + length && isfinite(*number);
}
