/* One step of Adam on a range of weights. */
#ifndef PTS_SRC_KERNELS_ADAM_H
#define PTS_SRC_KERNELS_ADAM_H

#include <stddef.h>

/* The step's constants, its number already in them. */
typedef struct pts_adam_constants {
    float beta1, beta2, epsilon;
    float rate; /* rate / (1 − beta1^step) */
    float root; /* 1 / √(1 − beta2^step) */
    float keep; /* 1 − rate·weight decay */
} pts_adam_constants;

/* m = beta1·m + (1 − beta1)·g, v = beta2·v + (1 − beta2)·g²,
 * w = keep·w − rate·m / (√v·root + epsilon), all [count]. No bit depends on how a range is cut. */
typedef void (*pts_adam_fn)(const pts_adam_constants *c, size_t count, float *weight,
                            const float *gradient, float *m, float *v);

#endif
