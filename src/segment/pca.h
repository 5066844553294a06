/* Principal components of feature vectors, gathered map by map. */
#ifndef PTS_SRC_SEGMENT_PCA_H
#define PTS_SRC_SEGMENT_PCA_H

#include "pts/base.h"

typedef struct pca {
    size_t channels;
    double rows;
    double *sum;      /* [channels] */
    double *products; /* [channels][channels], upper triangle */
    float *scratch;   /* [channels][channels] */
} pca;

pts_status pts_pca_create(pca *p, size_t channels, pts_error *err);
void pts_pca_free(pca *p);
/* rows [count][channels]: adds them to the sums. */
void pts_pca_add(pca *p, const float *rows, size_t count);
/* weight [channels][kept], offset [kept], kept ≤ channels: y = x · weight + offset. Component i is
 * scaled by variance_i^(-1/4): halfway between plain and whitened, so that weak components neither
 * vanish nor drown the others in noise; then all to a mean variance of 1. Consumes the sums. */
pts_status pts_pca_solve(pca *p, size_t kept, float *weight, float *offset, pts_error *err);

#endif
