/* Principal components of feature vectors, gathered map by map. */
#ifndef PTS_SRC_SEGMENT_PCA_H
#define PTS_SRC_SEGMENT_PCA_H

#include "pts/base.h"

typedef struct pca {
    size_t channels, kept;
    double rows;
    double *sum;       /* [channels] */
    double *products;  /* [channels][channels], upper triangle */
    float *scratch;    /* [channels][channels] */
    float *projection; /* [channels][kept], after pca_solve */
    float *offset;     /* [kept] */
} pca;

pts_status pca_create(pca *p, size_t channels, size_t kept, pts_error *err);
void pca_free(pca *p);
/* rows [count][channels]: adds them to the sums. */
void pca_add(pca *p, const float *rows, size_t count);
/* Component i is scaled by variance_i^(-1/4): halfway between plain and whitened, so that weak
 * components neither vanish nor drown the others in noise; then all to a mean variance of 1. */
pts_status pca_solve(pca *p, pts_error *err);
/* out [count][stride], the first `kept` floats of each row. */
void pca_project(const pca *p, const float *rows, size_t count, float *out, size_t stride);

#endif
