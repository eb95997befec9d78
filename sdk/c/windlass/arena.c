// Memory that is freed as a whole.
#include "host.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// Small, since a batch may have a thousand queries; what is larger has a block of its own.
enum { BLOCK = 1024, ALIGNMENT = 16 };

struct windlass_block {
  struct windlass_block *next;
  size_t size, used;
  _Alignas(ALIGNMENT) char memory[];
};

void *windlass_alloc(windlass_arena *arena, size_t size) {
  size = (size + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1);
  struct windlass_block *block = arena->blocks;
  if (block == NULL || block->size - block->used < size) {
    size_t room = size > BLOCK ? size : BLOCK;
    struct windlass_block *made = calloc(1, sizeof *made + room);
    // The component ends; the host tells so, and gives the next batch a new one.
    if (made == NULL) abort();
    made->size = room;
    if (size > BLOCK && block != NULL) {
      // What is left of the first block stays in use.
      made->next = block->next;
      block->next = made;
    } else {
      made->next = block;
      arena->blocks = made;
    }
    block = made;
  }
  void *memory = block->memory + block->used;
  block->used += size;
  return memory;
}

void windlass_adopt(windlass_arena *arena, windlass_arena *from) {
  struct windlass_block **last = &arena->blocks;
  while (*last != NULL) last = &(*last)->next;
  *last = from->blocks;
  from->blocks = NULL;
}

char *windlass_copy(windlass_arena *arena, const void *from, size_t length) {
  char *copy = windlass_alloc(arena, length + 1);
  if (length > 0) memcpy(copy, from, length);
  return copy;
}

char *windlass_vformat(windlass_arena *arena, const char *format, va_list arguments) {
  va_list again;
  va_copy(again, arguments);
  int length = vsnprintf(NULL, 0, format, again);
  va_end(again);
  if (length < 0) return windlass_copy(arena, "", 0);
  char *text = windlass_alloc(arena, (size_t)length + 1);
  vsnprintf(text, (size_t)length + 1, format, arguments);
  return text;
}

char *windlass_format(windlass_arena *arena, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  char *text = windlass_vformat(arena, format, arguments);
  va_end(arguments);
  return text;
}

void windlass_free(windlass_arena *arena) {
  while (arena->blocks != NULL) {
    struct windlass_block *next = arena->blocks->next;
    free(arena->blocks);
    arena->blocks = next;
  }
}
