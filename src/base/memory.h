/* Checked sizes, and the arena: one block a context, carved into named buffers. */
#ifndef PTS_SRC_BASE_MEMORY_H
#define PTS_SRC_BASE_MEMORY_H

#include "pts/base.h"

#include <stdbool.h>

/* *out = a·b or a+b; false when the result does not fit. */
static inline bool pts_mul(size_t a, size_t b, size_t *out)
{
    return !__builtin_mul_overflow(a, b, out);
}

static inline bool pts_add(size_t a, size_t b, size_t *out)
{
    return !__builtin_add_overflow(a, b, out);
}

/* count·size bytes, zeroed, aligned to 64 bytes; NULL when the product overflows or there is no
 * memory. Freed with free(). */
void *pts_calloc64(size_t count, size_t size);

/* The same into *out (a pointer to the caller's pointer), or NULL there and PTS_ERR_MEMORY with the
 * bytes that were wanted:  PTS_TRY(pts_new(&rows, count, sizeof *rows, err)) */
pts_status pts_new(void *out, size_t count, size_t size, pts_error *err);

/* *array, of *capacity elements of `size` bytes, is made to hold at least `needed`; doubles. */
pts_status pts_grow(void *array, size_t *capacity, size_t needed, size_t size, pts_error *err);

/* An arena is planned first and backed once. Each pts_arena_take before pts_arena_commit only
 * counts and yields NULL; after it, the same calls in the same order yield the buffers. So one
 * layout function, run twice, both measures and carves. Buffers are 64-byte aligned and not
 * initialised. */
typedef struct pts_arena {
    unsigned char *block;
    size_t used, size;
    bool overflow;
} pts_arena;

void *pts_arena_take(pts_arena *arena, size_t count, size_t size);
pts_status pts_arena_commit(pts_arena *arena, pts_error *err);
void pts_arena_free(pts_arena *arena);

#endif
