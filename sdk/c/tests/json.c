// The JSON reader: what it takes, what it refuses, and thousands of documents that are almost JSON.
#include "check.h"
#include <stdlib.h>

static bool is_json(const char *text, size_t length) {
  // A copy of that very length, so that reading beyond it is found.
  char *exact = malloc(length == 0 ? 1 : length);
  if (length > 0) memcpy(exact, text, length);
  windlass_arena arena = {0};
  bool good = windlass_json_parse(&arena, exact, length) != NULL;
  windlass_free(&arena);
  free(exact);
  return good;
}

static const char *const good[] = {
  "0", "-0", "1.5e-3", "1E+2", "true", "false", "null", "\"\"", "[]", "{}", " [ 1 , [ ] , { } ] ", "{\"a\":{\"b\":[1,\"2\",null]}}",
  "\"\\u00e4\\ud83d\\ude00\\ud800x\\\\\\/\\n\"", "\"\xc3\xa4\xf0\x9f\x98\x80\"", "{\"a\":1,\"a\":2}", "\t\r\n 7 \n",
};

static const char *const bad[] = {
  "", " ", "01", "-", "+1", ".5", "1.", "1e", "1e+", "1e999", "NaN", "Infinity", "tru", "nul", "'a'", "\"", "\"a", "\"\\", "\"\\\"",
  "\"\\u12\"", "\"\\u12g4\"", "\"\\x\"", "\"\n\"", "\"\x80\"", "\"\xc0\x80\"", "\"\xed\xa0\x80\"", "\"\xf5\x80\x80\x80\"", "\"\xe2\x82\"",
  "[", "[1", "[1,", "[1,]", "[,1]", "[1 2]", "{", "{\"a\"", "{\"a\":", "{\"a\":1", "{\"a\":1,", "{\"a\":1,}", "{a:1}", "{1:1}", "{\"a\" 1}",
  "1 2", "[]]", "{}}", "// 1", "\xef\xbb\xbf" "1",
};

static void paths(void) {
  windlass_arena arena = {0};
  const char *text = "{\"a\":[{\"b\":1.5},\" 2 \",true],\"L\\u00e4nge\":3,\"c\":{\"0\":4,\"\":{\"x\":5}},\"d\":1,\"d\":6,"
                     "\"odd\":[\"0x10\",\"inf\",\"nan\",\"\",\"1 2\",\"1e999\",\"1.\",\".5\",\"+1\",\"1\\u0000\"]}";
  const windlass_json *document = windlass_json_parse(&arena, text, strlen(text));
  CHECK(document != NULL, "not JSON");
  static const struct { const char *path; double number; } found[] = {
    {"a.0.b", 1.5}, {"a.1", 2}, {"L\xc3\xa4nge", 3}, {"c.0", 4}, {"c..x", 5}, {"d", 6}, {"odd.6", 1}, {"odd.7", 0.5}, {"odd.8", 1},
  };
  for (size_t i = 0; i < sizeof found / sizeof *found; i++) {
    const windlass_json *value = windlass_json_at(document, found[i].path);
    double number = 0;
    CHECK(value != NULL && windlass_json_number(value, &number) && number == found[i].number, "%s: %g", found[i].path, number);
  }
  static const char *const nothing[] = {"", "b", "a.3", "a.-1", "a.00000000000000000001", "a.0.b.c", "c.1", "a.0.", "."};
  for (size_t i = 0; i < sizeof nothing / sizeof *nothing; i++) {
    CHECK(windlass_json_at(document, nothing[i]) == NULL, "%s", nothing[i]);
  }
  static const char *const no_number[] = {"a", "a.2", "c", "odd.0", "odd.1", "odd.2", "odd.3", "odd.4", "odd.5", "odd.9"};
  for (size_t i = 0; i < sizeof no_number / sizeof *no_number; i++) {
    double number;
    const windlass_json *value = windlass_json_at(document, no_number[i]);
    CHECK(value != NULL && !windlass_json_number(value, &number), "%s", no_number[i]);
  }
  windlass_free(&arena);
}

static void depth(void) {
  char text[400];
  memset(text, '[', 64);
  memset(text + 64, ']', 64);
  CHECK(is_json(text, 128), "64 deep");
  memset(text, '[', 66);
  memset(text + 66, ']', 66);
  CHECK(!is_json(text, 132), "66 deep");
  memset(text, '[', sizeof text);
  CHECK(!is_json(text, sizeof text), "only open");
}

// Documents that are cut, or have bytes changed, put in and taken out: whatever they are, nothing is read or written beyond them.
static void mutations(void) {
  static const char bytes[] = "{}[]\",:.eE+-0123456789\\/bfnrtu \t\n\x80\xc3\xed\xf0\xff";
  uint32_t random = 20261125;
  size_t taken = 0;
  for (int round = 0; round < 20000; round++) {
    char text[160] = {0};
    random = random * 1664525 + 1013904223;
    const char *from = good[(random >> 8) % (sizeof good / sizeof *good)];
    size_t length = strlen(from);
    memcpy(text, from, length);
    for (int change = 0; change < 1 + round % 4; change++) {
      random = random * 1664525 + 1013904223;
      size_t place = length == 0 ? 0 : (random >> 10) % length;
      char byte = bytes[(random >> 20) % (sizeof bytes - 1)];
      if (random & 1 << 8) {
        memmove(text + place + 1, text + place, length - place);
        length++;
        text[place] = byte;
      } else if (random & 1 << 9 && length > 0) {
        memmove(text + place, text + place + 1, length - place - 1);
        length--;
      } else if (length > 0) {
        text[place] = byte;
      }
    }
    taken += is_json(text, length);
  }
  CHECK(taken > 100 && taken < 19000, "%zu of 20000 were JSON", taken);
}

void test_json(void) {
  for (size_t i = 0; i < sizeof good / sizeof *good; i++) CHECK(is_json(good[i], strlen(good[i])), "refused: %s", good[i]);
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) CHECK(!is_json(bad[i], strlen(bad[i])), "taken: %s", bad[i]);
  CHECK(!is_json("1\0", 2), "a zero at the end");
  paths();
  depth();
  mutations();
}
