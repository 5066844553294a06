/* The mlp head's regression: the same principal components as the linear map's → one hidden ReLU
 * layer → a step away from one curve for all, in units of θ. A small ensemble, each network
 * trained on the error of the curve itself. */
#ifndef PTS_SRC_LEARN_PERCEPTRON_H
#define PTS_SRC_LEARN_PERCEPTRON_H

#include "learn/linear.h"
#include "pts/mlp.h"

enum { PERCEPTRON_NETWORKS = 3 };

/* Components of each network that is trained. Shrinkage acts on trained networks, so that it costs
 * nothing to choose. */
extern const size_t pts_perceptron_components[PERCEPTRON_NETWORKS];

typedef struct perceptron_choice {
    size_t network; /* of pts_perceptron_components */
    double shrinkage;
} perceptron_choice;

#define PERCEPTRON_CHOICES 8
/* From the most cautious on; all look at photographs. */
extern const perceptron_choice pts_perceptron_choices[PERCEPTRON_CHOICES];

/* `one`: the linear model of one curve for all. */
pts_status pts_perceptron_fit(const linear_data *data, const linear_fold *fold, size_t components,
                              const linear_model *one, uint64_t seed, perceptron_model *model,
                              pts_error *err);

pts_status pts_perceptron_network(pts_mlp **out, size_t components, uint64_t seed, pts_error *err);

/* Which curves count how much; the shares add up to 1. */
typedef struct perceptron_batch {
    const linear_data *data; /* log_n and target are used */
    const size_t *task;      /* [count] */
    const double *share;     /* [count] */
    size_t count;
} perceptron_batch;

/* Squared error of the curves θ = one + unit·y [count][4], averaged over ln n and by share; its
 * gradient by y into dy [count][4]. */
double pts_perceptron_loss(const perceptron_batch *batch, const double one[4], const float *y,
                           float *dy);

#endif
