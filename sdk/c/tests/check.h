// Checks that count.
#ifndef CHECK_H
#define CHECK_H

#include "test/harness.h"
#include <stdio.h>
#include <string.h>

extern int checks, failures;

#define CHECK(truth, ...)                             \
  do {                                                \
    checks++;                                         \
    if (!(truth)) {                                   \
      failures++;                                     \
      fprintf(stderr, "%s:%d: ", __FILE__, __LINE__); \
      fprintf(stderr, __VA_ARGS__);                   \
      fputc('\n', stderr);                            \
    }                                                 \
  } while (0)

void test_json(void);
void test_batch(void);
void test_tcp(void);
void test_parameters(void);

// A script of exchanges, as JSON; to be ended with end_script.
windlass_script *begin_script(const char *exchange);
void end_script(windlass_script *script);
// The outcome of a query, as text.
const char *told(windlass_script *script, size_t query);

#endif
