#include "segment/projection.h"
#include "base/error.h"
#include "base/memory.h"

#include <cblas.h>
#include <stdlib.h>
#include <string.h>

pts_status pts_projection_tap_alloc(projection_tap *tap, size_t channels, size_t kept,
                                    pts_error *err)
{
    tap->channels = channels;
    tap->kept = kept;
    PTS_TRY(pts_new(&tap->weight, channels * kept, sizeof *tap->weight, err));
    return pts_new(&tap->offset, kept, sizeof *tap->offset, err);
}

void pts_projection_free(pts_projection *p)
{
    for (int i = 0; i < TAPS; i++) {
        free(p->taps[i].weight);
        free(p->taps[i].offset);
    }
    *p = (pts_projection){0};
}

pts_status pts_projection_copy(pts_projection *out, const pts_projection *from, pts_error *err)
{
    *out = *from;
    for (int i = 0; i < TAPS; i++)
        out->taps[i].weight = out->taps[i].offset = NULL;
    for (int i = 0; i < TAPS; i++) {
        const projection_tap *tap = &from->taps[i];
        pts_status status = pts_projection_tap_alloc(&out->taps[i], tap->channels, tap->kept, err);
        if (status != PTS_OK) {
            pts_projection_free(out);
            return status;
        }
        memcpy(out->taps[i].weight, tap->weight, tap->channels * tap->kept * sizeof *tap->weight);
        memcpy(out->taps[i].offset, tap->offset, tap->kept * sizeof *tap->offset);
    }
    return PTS_OK;
}

/* To the bit: features of another projection have the right shape and mean something else. */
static bool tap_equal(const projection_tap *a, const projection_tap *b)
{
    return strcmp(a->name, b->name) == 0 && a->channels == b->channels && a->kept == b->kept &&
           memcmp(a->weight, b->weight, a->channels * a->kept * sizeof *a->weight) == 0 &&
           memcmp(a->offset, b->offset, a->kept * sizeof *a->offset) == 0;
}

bool pts_projection_equal(const pts_projection *a, const pts_projection *b)
{
    bool equal = strcmp(a->arch, b->arch) == 0 && strcmp(a->encoder_id, b->encoder_id) == 0 &&
                 a->side == b->side;
    for (int i = 0; i < TAPS && equal; i++)
        equal = tap_equal(&a->taps[i], &b->taps[i]);
    return equal;
}

void pts_projection_apply(const projection_tap *tap, const float *rows, size_t count, float *out)
{
    for (size_t r = 0; r < count; r++)
        memcpy(out + r * tap->kept, tap->offset, tap->kept * sizeof *out);
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, (int)count, (int)tap->kept,
                (int)tap->channels, 1, rows, (int)tap->channels, tap->weight, (int)tap->kept, 1,
                out, (int)tap->kept);
}
