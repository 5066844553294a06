#include "learn/network.h"

#include <math.h>
#include <string.h>

const double pts_linear_unit[4] = {0.1, 0.5, 1.5, 0.3};

/* y [outputs] = x [inputs] · weight + bias, summed with fma in the order of nn's product, so that
 * the answer is to the bit the one that training had. Returns what follows the parameters. */
static const float *layer(const float *parameters, const float *x, size_t inputs, float *y,
                          size_t outputs)
{
    const float *bias = parameters + inputs * outputs;
    for (size_t o = 0; o < outputs; o++) {
        float sum = 0;
        for (size_t i = 0; i < inputs; i++)
            sum = fmaf(x[i], parameters[i * outputs + o], sum);
        y[o] = sum + bias[o];
    }
    return bias + outputs;
}

void pts_perceptron_step(const perceptron_model *model, const float *scores, double step[4])
{
    const float *at = model->members;
    memset(step, 0, 4 * sizeof *step);
    for (size_t m = 0; m < PERCEPTRON_MEMBERS; m++) {
        float hidden[PERCEPTRON_HIDDEN], y[4];
        at = layer(at, scores, model->components, hidden, PERCEPTRON_HIDDEN);
        for (size_t h = 0; h < PERCEPTRON_HIDDEN; h++)
            hidden[h] = hidden[h] > 0 ? hidden[h] : 0;
        at = layer(at, hidden, PERCEPTRON_HIDDEN, y, 4);
        for (size_t i = 0; i < 4; i++)
            step[i] += (double)y[i] / PERCEPTRON_MEMBERS;
    }
}

void pts_perceptron_predict(const perceptron_model *model, double shrinkage, const float *scores,
                            double theta[4])
{
    double step[4];
    pts_perceptron_step(model, scores, step);
    for (size_t i = 0; i < 4; i++)
        theta[i] = model->theta[i] + shrinkage * pts_linear_unit[i] *
                                         fmin(fmax(step[i], model->low[i]), model->high[i]);
}
