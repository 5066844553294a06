#include "arch.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

static const architecture *const architectures[] = {
    &inception_v3_architecture, &clip_vit_architecture, &study_head_architecture};
enum { ARCHITECTURES = sizeof architectures / sizeof *architectures };

bool architecture_known(const char *name)
{
    for (size_t i = 0; i < ARCHITECTURES; i++) {
        if (strcmp(architectures[i]->name, name) == 0)
            return true;
    }
    return false;
}

pts_status architecture_find(const checkpoint *c, const char *name, const architecture **out,
                             char why[256], pts_error *err)
{
    bool any = strcmp(name, "auto") == 0;
    *out = NULL;
    for (size_t i = 0; i < ARCHITECTURES && !*out; i++) {
        if (any ? architectures[i]->recognise(c, why) : strcmp(architectures[i]->name, name) == 0)
            *out = architectures[i];
    }
    if (*out && !any)
        snprintf(why, 256, "as told");
    if (*out)
        return PTS_OK;
    snprintf(why, 256, "no tensor is called as one of " ARCHITECTURE_NAMES " would be");
    return convert_fail(err, PTS_ERR_UNSUPPORTED,
                        "%s: expected tensors of " ARCHITECTURE_NAMES ", got none called so "
                        "(%zu tensors; --list shows them)",
                        c->path, c->count);
}

/* ---- The plan ---- */

pts_status plan_add(plan *p, planned **out, int rank, const size_t *shape, pts_error *err,
                    const char *name, ...)
{
    if (p->count == p->capacity) {
        size_t capacity = p->capacity ? 2 * p->capacity : 64;
        planned *grown = realloc(p->items, capacity * sizeof *grown);
        if (!grown)
            return convert_fail(err, PTS_ERR_MEMORY, "%s: out of memory", p->c->path);
        p->items = grown;
        p->capacity = capacity;
    }
    planned *item = &p->items[p->count++];
    *item = (planned){.rank = rank, .count = 1, .make = make_copy};
    va_list args;
    va_start(args, name);
    vsnprintf(item->name, sizeof item->name, name, args);
    va_end(args);
    for (int i = 0; i < rank; i++) {
        item->shape[i] = shape[i];
        item->count *= shape[i]; /* at most that of its sources, which are capped */
    }
    *out = item;
    return PTS_OK;
}

pts_status plan_meta(plan *p, const char *key, const char *value, pts_error *err)
{
    char *copy = strdup(value);
    if (!copy)
        return convert_fail(err, PTS_ERR_MEMORY, "%s: out of memory", p->c->path);
    p->meta[p->meta_count++] = (pts_meta){key, copy};
    return PTS_OK;
}

pts_status plan_meta_number(plan *p, const char *key, size_t value, pts_error *err)
{
    char digits[24];
    snprintf(digits, sizeof digits, "%zu", value);
    return plan_meta(p, key, digits, err);
}

static pts_status describe_source(plan *p, pts_error *err)
{
    char digits[PTS_SHA256_HEX];
    const checkpoint *c = p->c;
    const char *from = p->set->source ? p->set->source : c->origin ? c->origin : c->path;
    const char *licence = p->set->licence ? p->set->licence : c->licence ? c->licence : "unknown";
    CONVERT_TRY(checkpoint_hash(p->c, digits, err));
    CONVERT_TRY(plan_meta(p, "source", from, err));
    CONVERT_TRY(plan_meta(p, "source_format", c->format, err));
    CONVERT_TRY(plan_meta(p, "licence", licence, err));
    CONVERT_TRY(plan_meta(p, "source_sha256", digits, err));
    return plan_meta(p, "converter", "ptsconvert " PTS_VERSION_STRING, err);
}

pts_status plan_build(plan *out, checkpoint *c, const architecture *a, const settings *set,
                      pts_error *err)
{
    *out = (plan){.c = c, .set = set};
    for (size_t i = 0; i < c->count; i++)
        c->tensors[i].used = false;
    pts_status status = plan_meta(out, "arch", a->name, err);
    if (status == PTS_OK)
        status = a->build(out, err);
    if (status == PTS_OK)
        status = describe_source(out, err);
    if (status != PTS_OK)
        plan_free(out);
    return status;
}

void plan_free(plan *p)
{
    for (size_t i = 0; i < p->meta_count; i++)
        free((void *)(uintptr_t)p->meta[i].value);
    free(p->items);
    *p = (plan){0};
}

pts_status plan_make(const plan *p, size_t index, float *out, pts_error *err)
{
    return p->items[index].make(p, &p->items[index], out, err);
}

/* ---- Tensors moved ---- */

pts_status make_copy(const plan *p, const planned *item, float *out, pts_error *err)
{
    return checkpoint_read(p->c, item->source[0], 0, item->count, out, err);
}

/* rows [rows][in][window] → columns `first` … of out [window][in][columns]. */
static void turn(const float *rows, size_t count, size_t in, size_t window, float *out,
                 size_t columns)
{
    for (size_t i = 0; i < in; i++) {
        for (size_t w = 0; w < window; w++) {
            float *to = out + (w * in + i) * columns;
            for (size_t r = 0; r < count; r++)
                to[r] = rows[(r * in + i) * window + w];
        }
    }
}

/* One source into its columns, a strip of rows at a time: a whole second copy of the largest matrix
 * would be most of the memory. */
static pts_status turn_source(const plan *p, const checkpoint_tensor *t, float *out, size_t columns,
                              pts_error *err)
{
    size_t rows = t->shape[0], width = t->count / rows, in = t->rank > 1 ? t->shape[1] : 1;
    size_t strip = width < (1 << 16) ? (1 << 20) / width : 16;
    strip = strip < rows ? strip : rows;
    float *block = malloc(strip * width * sizeof *block);
    pts_status status =
        block ? PTS_OK : convert_fail(err, PTS_ERR_MEMORY, "%s: out of memory", p->c->path);
    for (size_t r = 0; r < rows && status == PTS_OK; r += strip) {
        size_t count = strip < rows - r ? strip : rows - r;
        status = checkpoint_read(p->c, t, r * width, count * width, block, err);
        if (status == PTS_OK)
            turn(block, count, in, width / in, out + r, columns);
    }
    free(block);
    return status;
}

pts_status make_turned(const plan *p, const planned *item, float *out, pts_error *err)
{
    size_t columns = item->shape[item->rank - 1], first = 0;
    for (size_t i = 0; i < item->sources; i++) {
        CONVERT_TRY(turn_source(p, item->source[i], out + first, columns, err));
        first += item->source[i]->shape[0];
    }
    return PTS_OK;
}
