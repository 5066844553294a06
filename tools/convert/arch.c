#include "arch.h"
#include "base/text.h"

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
    return pts_fail(err, PTS_ERR_UNSUPPORTED,
                    "%s: expected tensors of " ARCHITECTURE_NAMES ", got none called so "
                    "(%zu tensors; --list shows them)",
                    c->path, c->count);
}

/* ---- Names ---- */

bool name_ends(const char *name, const char *end)
{
    size_t length = strlen(name), tail = strlen(end);
    return length >= tail && strcmp(name + length - tail, end) == 0;
}

bool name_starts(const char *name, const char *start)
{
    return strncmp(name, start, strlen(start)) == 0;
}

bool name_prefix(const checkpoint *c, const char *end, char prefix[PREFIX_MAX])
{
    prefix[0] = '\0';
    for (size_t i = 0; i < c->count; i++) {
        const char *name = c->tensors[i].name;
        if (name_ends(name, end) && strlen(name) - strlen(end) < PREFIX_MAX) {
            snprintf(prefix, PREFIX_MAX, "%.*s", (int)(strlen(name) - strlen(end)), name);
            return true;
        }
    }
    return false;
}

/* ---- The recipe ---- */

pts_status recipe_add(recipe *r, recipe_item **out, int rank, const size_t *shape, pts_error *err,
                      const char *name, ...)
{
    PTS_TRY(pts_grow(&r->items, &r->capacity, r->count + 1, sizeof *r->items, err));
    recipe_item *item = &r->items[r->count++];
    *item = (recipe_item){.rank = rank, .count = 1, .make = make_copy};
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

pts_status recipe_meta(recipe *r, const char *key, const char *value, pts_error *err)
{
    char *copy;
    PTS_TRY(pts_text(&copy, err, "%s", value));
    r->meta[r->meta_count++] = (pts_meta){key, copy};
    return PTS_OK;
}

pts_status recipe_meta_number(recipe *r, const char *key, size_t value, pts_error *err)
{
    char digits[24];
    snprintf(digits, sizeof digits, "%zu", value);
    return recipe_meta(r, key, digits, err);
}

pts_status recipe_take(recipe *r, const char *to, int rank, const size_t *shape, bool turned,
                       const char *name, const size_t *from, pts_error *err)
{
    recipe_item *item;
    PTS_TRY(recipe_add(r, &item, rank, shape, err, "%s", to));
    if (turned)
        item->make = make_turned;
    item->sources = 1;
    return checkpoint_require(r->c, name, rank, from, &item->source[0], err);
}

pts_status recipe_leftover(const recipe *r, const checkpoint_tensor *t, const char *what,
                           pts_error *err)
{
    return pts_fail(err, PTS_ERR_SHAPE, "%s: tensor '%.128s': expected no such tensor in %s",
                    r->c->path, t->name, what);
}

static pts_status describe_source(recipe *r, pts_error *err)
{
    char digits[PTS_SHA256_HEX];
    const checkpoint *c = r->c;
    const char *from = r->set->source ? r->set->source : c->origin ? c->origin : c->path;
    const char *licence = r->set->licence ? r->set->licence : c->licence ? c->licence : "unknown";
    PTS_TRY(checkpoint_hash(r->c, digits, err));
    PTS_TRY(recipe_meta(r, "source", from, err));
    PTS_TRY(recipe_meta(r, "source_format", c->format, err));
    PTS_TRY(recipe_meta(r, "licence", licence, err));
    PTS_TRY(recipe_meta(r, "source_sha256", digits, err));
    return recipe_meta(r, "converter", "ptsconvert " PTS_VERSION_STRING, err);
}

pts_status recipe_build(recipe *out, checkpoint *c, const architecture *a, const settings *set,
                        pts_error *err)
{
    *out = (recipe){.c = c, .set = set};
    for (size_t i = 0; i < c->count; i++)
        c->tensors[i].used = false;
    pts_status status = recipe_meta(out, "arch", a->name, err);
    if (status == PTS_OK)
        status = a->build(out, err);
    if (status == PTS_OK)
        status = describe_source(out, err);
    if (status != PTS_OK)
        recipe_free(out);
    return status;
}

void recipe_free(recipe *r)
{
    for (size_t i = 0; i < r->meta_count; i++)
        free((void *)(uintptr_t)r->meta[i].value);
    free(r->items);
    *r = (recipe){0};
}

pts_status recipe_tensor(const recipe *r, size_t index, float *out, pts_error *err)
{
    return r->items[index].make(r, &r->items[index], out, err);
}

/* ---- Tensors moved ---- */

pts_status make_copy(const recipe *r, const recipe_item *item, float *out, pts_error *err)
{
    return checkpoint_read(r->c, item->source[0], 0, item->count, out, err);
}

/* rows [rows][in][window] → columns `first` … of out [window][in][columns]. */
static void turn(const float *rows, size_t count, size_t in, size_t window, float *out,
                 size_t columns)
{
    for (size_t i = 0; i < in; i++) {
        for (size_t w = 0; w < window; w++) {
            float *to = out + (w * in + i) * columns;
            for (size_t row = 0; row < count; row++)
                to[row] = rows[(row * in + i) * window + w];
        }
    }
}

/* One source into its columns, a strip of rows at a time: a whole second copy of the largest matrix
 * would be most of the memory. */
static pts_status turn_source(const recipe *r, const checkpoint_tensor *t, float *out,
                              size_t columns, pts_error *err)
{
    size_t rows = t->shape[0], width = t->count / rows, in = t->rank > 1 ? t->shape[1] : 1;
    size_t strip = width < (1 << 16) ? (1 << 20) / width : 16;
    strip = strip < rows ? strip : rows;
    float *block;
    pts_status status = pts_new(&block, strip * width, sizeof *block, err);
    for (size_t row = 0; row < rows && status == PTS_OK; row += strip) {
        size_t count = strip < rows - row ? strip : rows - row;
        status = checkpoint_read(r->c, t, row * width, count * width, block, err);
        if (status == PTS_OK)
            turn(block, count, in, width / in, out + row, columns);
    }
    free(block);
    return status;
}

pts_status make_turned(const recipe *r, const recipe_item *item, float *out, pts_error *err)
{
    size_t columns = item->shape[item->rank - 1], first = 0;
    for (size_t i = 0; i < item->sources; i++) {
        PTS_TRY(turn_source(r, item->source[i], out + first, columns, err));
        first += item->source[i]->shape[0];
    }
    return PTS_OK;
}
