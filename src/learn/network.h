/* The mlp head's networks as plain numbers, and what they answer: one rule for a head that is asked
 * and for the evaluation, which needs neither training nor the room that trains (nn). */
#ifndef PTS_SRC_LEARN_NETWORK_H
#define PTS_SRC_LEARN_NETWORK_H

#include <stddef.h>

enum { PERCEPTRON_INPUTS = 8 /* at most */, PERCEPTRON_HIDDEN = 16, PERCEPTRON_MEMBERS = 5 };

/* Of one network: weight [components][hidden], bias, weight [hidden][4], bias. */
#define PERCEPTRON_PARAMETERS(components) (((components) + 1 + 4) * PERCEPTRON_HIDDEN + 4)
enum { PERCEPTRON_FLOATS = PERCEPTRON_MEMBERS * PERCEPTRON_PARAMETERS(PERCEPTRON_INPUTS) };

/* θ changes that matter about equally to the curve: units of networks and of the ridge penalty. */
extern const double pts_linear_unit[4];

typedef struct perceptron_model {
    size_t components;
    double theta[4];        /* one curve for all */
    double low[4], high[4]; /* of the step seen in training: odd photographs stay within */
    float members[PERCEPTRON_FLOATS]; /* [members][parameters], one behind the other */
} perceptron_model;

/* scores [components] → the ensemble's step away from one curve, in units. */
void pts_perceptron_step(const perceptron_model *model, const float *scores, double step[4]);
void pts_perceptron_predict(const perceptron_model *model, double shrinkage, const float *scores,
                            double theta[4]);

#endif
