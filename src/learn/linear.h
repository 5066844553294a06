/* The mean head's regression: photographs' mean embedding → principal components → θ, fitted on
 * the curve itself with a ridge penalty. */
#ifndef PTS_SRC_LEARN_LINEAR_H
#define PTS_SRC_LEARN_LINEAR_H

#include "learn/network.h"
#include "learn/tasks.h"

enum {
    LINEAR_COMPONENTS = PERCEPTRON_INPUTS, /* at most */
    LINEAR_VIEWS = 6,                      /* draws of four photographs a task */
    LINEAR_GRID = 12,                      /* points of the loss over ln n */
    LINEAR_LABELS = 5                      /* what is made of pts_label_sums */
};

/* How strongly to regularise; 0 components is one curve for all. */
typedef struct linear_choice {
    size_t components;
    double penalty;
} linear_choice;

#define LINEAR_CHOICES 17
extern const linear_choice pts_linear_choices[LINEAR_CHOICES]; /* the first: one curve for all */

/* What does not change between folds. */
typedef struct linear_data {
    const pts_tasks *tasks;
    float *means;   /* [tasks][dim]: over all photographs */
    float *views;   /* [tasks·LINEAR_VIEWS][dim]: over four each */
    double *log_n;  /* [tasks][LINEAR_GRID] */
    double *target; /* [tasks][LINEAR_GRID]: the measured curve there */
    /* [tasks][LINEAR_LABELS] over all photographs, [tasks·LINEAR_VIEWS][LINEAR_LABELS] over those
     * of the views; NULL unless every task has labels. */
    double *label_means, *label_views;
} linear_data;

pts_status pts_linear_data_create(linear_data *data, const pts_tasks *tasks, uint64_t seed,
                                  pts_error *err);
void pts_linear_data_free(linear_data *data);

/* ln of objects a photograph, mean and deviation of ln size, mean of filled and of crowded. */
void pts_linear_label_numbers(const pts_label_sums *labels, size_t images,
                              double out[LINEAR_LABELS]);

/* One fold: which tasks train, their principal components, everyone's scores on them. */
typedef struct linear_fold {
    size_t *training, count; /* task indices */
    float *centre, *inverse; /* [dim]: mean, 1 / standard deviation */
    float *projection;       /* [dim][LINEAR_COMPONENTS]: of (embedding − centre) */
    float *scores;           /* [tasks·LINEAR_VIEWS][LINEAR_COMPONENTS] */
} linear_fold;

/* All tasks but those of data sets out1 and out2 (SIZE_MAX: none). */
pts_status pts_linear_fold_create(linear_fold *fold, const linear_data *data, size_t out1,
                                  size_t out2, pts_error *err);
void pts_linear_fold_free(linear_fold *fold);

typedef struct linear_model {
    size_t components;
    double theta[4];
    double weight[LINEAR_COMPONENTS][4];
    double low[4], high[4]; /* range of θ seen in training: odd photographs stay within */
} linear_model;

/* `start`: the model of one curve for all, or NULL to fit just that. */
void pts_linear_fit(const linear_data *data, const linear_fold *fold, linear_choice choice,
                    const linear_model *start, linear_model *model);
void pts_linear_predict(const linear_model *model, const float *scores, double theta[4]);

#endif
