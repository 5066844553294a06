/* How an encoder's maps become features, as features, segmenters and files hold it. */
#ifndef PTS_SRC_SEGMENT_PROJECTION_H
#define PTS_SRC_SEGMENT_PROJECTION_H

#include "pts/segment.h"
#include "pts/weights.h"

/* The fine grid's map and the coarse one's two. */
enum { FINE_TAP, MID_TAP, DEEP_TAP, TAPS };

/* y[kept] = x[channels] · weight + offset */
typedef struct projection_tap {
    char name[32]; /* the encoder's */
    size_t channels, kept;
    float *weight; /* [channels][kept] */
    float *offset; /* [kept] */
} projection_tap;

struct pts_projection {
    char arch[24], encoder_id[65];
    size_t side;
    projection_tap taps[TAPS];
};

pts_status pts_projection_tap_alloc(projection_tap *tap, size_t channels, size_t kept,
                                    pts_error *err);
pts_status pts_projection_copy(pts_projection *out, const pts_projection *from, pts_error *err);
void pts_projection_free(pts_projection *p);
bool pts_projection_equal(const pts_projection *a, const pts_projection *b);

/* rows [count][channels] → out [count][kept] */
void pts_projection_apply(const projection_tap *tap, const float *rows, size_t count, float *out);

#endif
