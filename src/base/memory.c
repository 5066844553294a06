#define _DEFAULT_SOURCE
#include "base/memory.h"
#include "base/error.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define ALIGNMENT 64
/* From here on an arena asks for huge pages: filling 110 MB of packed weights page by page of
 * 4 KiB took longer than packing them. */
#define HUGE_PAGE ((size_t)2 << 20)
#define HUGE_ARENA (4 * HUGE_PAGE)

static bool round_up(size_t bytes, size_t *out)
{
    if (!pts_add(bytes, ALIGNMENT - 1, out))
        return false;
    *out &= ~(size_t)(ALIGNMENT - 1);
    return true;
}

void *pts_calloc64(size_t count, size_t size)
{
    size_t bytes;
    if (!pts_mul(count, size, &bytes) || !round_up(bytes ? bytes : 1, &bytes))
        return NULL;
    void *block = aligned_alloc(ALIGNMENT, bytes);
    if (block)
        memset(block, 0, bytes);
    return block;
}

pts_status pts_new(void *out, size_t count, size_t size, pts_error *err)
{
    size_t bytes;
    void *block = pts_calloc64(count, size);
    memcpy(out, &block, sizeof block);
    if (block)
        return PTS_OK;
    return pts_fail_memory(err, pts_mul(count, size, &bytes) ? bytes : SIZE_MAX);
}

pts_status pts_grow(void *array, size_t *capacity, size_t needed, size_t size, pts_error *err)
{
    if (needed <= *capacity)
        return PTS_OK;
    size_t wanted = *capacity > SIZE_MAX / 2 ? needed : *capacity * 2;
    if (wanted < needed)
        wanted = needed;
    if (wanted < 16)
        wanted = 16;
    size_t bytes;
    if (!pts_mul(wanted, size, &bytes))
        return pts_fail_memory(err, SIZE_MAX);
    void *old;
    memcpy(&old, array, sizeof old);
    void *grown = realloc(old, bytes);
    if (!grown)
        return pts_fail_memory(err, bytes);
    memcpy(array, &grown, sizeof grown);
    *capacity = wanted;
    return PTS_OK;
}

void *pts_arena_take(pts_arena *arena, size_t count, size_t size)
{
    size_t bytes, end;
    if (!pts_mul(count, size, &bytes) || !round_up(bytes, &bytes) ||
        !pts_add(arena->used, bytes, &end)) {
        arena->overflow = true;
        return NULL;
    }
    void *buffer = arena->block && end <= arena->size ? arena->block + arena->used : NULL;
    arena->used = end;
    return buffer;
}

static unsigned char *huge_block(size_t bytes)
{
    size_t rounded;
    if (!pts_add(bytes, HUGE_PAGE - 1, &rounded))
        return NULL;
    unsigned char *block = aligned_alloc(HUGE_PAGE, rounded / HUGE_PAGE * HUGE_PAGE);
#ifdef MADV_HUGEPAGE
    if (block) /* advice only: nothing but time changes where it is refused */
        (void)madvise(block, rounded / HUGE_PAGE * HUGE_PAGE, MADV_HUGEPAGE);
#endif
    return block;
}

pts_status pts_arena_commit(pts_arena *arena, pts_error *err)
{
    if (arena->overflow)
        return pts_fail_memory(err, SIZE_MAX);
    size_t bytes = arena->used ? arena->used : ALIGNMENT;
    arena->block = bytes < HUGE_ARENA ? aligned_alloc(ALIGNMENT, bytes) : huge_block(bytes);
    if (!arena->block)
        return pts_fail_memory(err, bytes);
    arena->size = bytes;
    arena->used = 0;
    return PTS_OK;
}

void pts_arena_free(pts_arena *arena)
{
    free(arena->block);
    *arena = (pts_arena){0};
}
