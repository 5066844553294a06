/* Predictors of one kind: the curve of new photographs is a weighted mean of measured curves, and a
 * predictor is a rule for the weights. Neighbours, Gaussian process, ridge and their averages are
 * all of that form, so that one loop compares them. */
#ifndef PTS_SRC_LEARN_PREDICTOR_H
#define PTS_SRC_LEARN_PREDICTOR_H

#include "learn/linear.h"

#include <stdbool.h>

enum { PREDICTOR_LABELS = LINEAR_LABELS, PREDICTOR_GRID = 12, PREDICTOR_PARAMETERS = 3 };

/* Known curves and questions. Everything that is scaled or centred is so by the known ones. */
typedef struct predictor_fold {
    size_t count, rows;    /* known curves, questions */
    const double *votes;   /* [count]: each data set's classes share one; sum 1 */
    const double *similar; /* [rows][count]: cosine of centred mean embeddings */
    const double *among;   /* [count][count]: the same among the known */
    const double *labels;  /* [count][PREDICTOR_LABELS]; NULL: none */
    const double *asked;   /* [rows][PREDICTOR_LABELS] */
} predictor_fold;

/* weights [rows][count], each row's sum is 1; some may be below zero. */
typedef pts_status (*predictor_rule)(const predictor_fold *fold, const double *parameters,
                                     double *weights, pts_error *err);

typedef struct predictor {
    const char *name;
    bool labels; /* needs them */
    predictor_rule weigh;
    size_t choices;
    const double (*parameters)[PREDICTOR_PARAMETERS]; /* [choices] */
} predictor;

typedef enum predictor_id {
    PREDICTOR_NEIGHBOURS,
    PREDICTOR_NEAREST,
    PREDICTOR_PROCESS,
    PREDICTOR_ENSEMBLE,
    PREDICTOR_LABELLED,
    PREDICTORS
} predictor_id;

enum { PREDICTOR_CHOICES = 6 + 1 + 8 + 6 + 6 };
extern const predictor pts_predictor_table[PREDICTORS];
/* Number of the first choice of a predictor, among those of all. */
size_t pts_predictor_first(predictor_id id);

pts_status pts_predictor_neighbours(const predictor_fold *fold, const double *parameters,
                                    double *weights, pts_error *err);
pts_status pts_predictor_nearest(const predictor_fold *fold, const double *parameters,
                                 double *weights, pts_error *err);
pts_status pts_predictor_process(const predictor_fold *fold, const double *parameters,
                                 double *weights, pts_error *err);
pts_status pts_predictor_ensemble(const predictor_fold *fold, const double *parameters,
                                  double *weights, pts_error *err);
pts_status pts_predictor_labelled(const predictor_fold *fold, const double *parameters,
                                  double *weights, pts_error *err);

/* θ of the weighted mean of curves [count][PREDICTOR_GRID] at log_n [PREDICTOR_GRID], cut to 0 … 1:
 * least squares from the start `one`. */
void pts_predictor_theta(const double *log_n, const double *curves, const double *weights,
                         size_t count, const double one[4], double theta[4]);

/* ---- known curves and questions from tasks ---- */

typedef struct predictor_data {
    const linear_data *linear;
    size_t rows;   /* tasks·LINEAR_VIEWS, then the tasks' means */
    double *cross; /* [rows + tasks][tasks]: inner products with the means */
    double *norms; /* [rows + tasks] */
    double log_n[PREDICTOR_GRID], *curves; /* [tasks][PREDICTOR_GRID] */
} predictor_data;

pts_status pts_predictor_data_create(predictor_data *data, const linear_data *linear,
                                     pts_error *err);
void pts_predictor_data_free(predictor_data *data);

/* Asks all views; `training` [count] are known. */
typedef struct predictor_set {
    predictor_fold fold;
    double *block, *curves; /* curves [count][PREDICTOR_GRID], weights [rows][count] behind */
    double *weights;
} predictor_set;
pts_status pts_predictor_set_create(predictor_set *set, const predictor_data *data,
                                    const size_t *training, size_t count, pts_error *err);
void pts_predictor_set_free(predictor_set *set);

/* Each data set's tasks share one vote; votes [count] add up to 1. */
void pts_predictor_votes(const pts_tasks *tasks, const size_t *training, size_t count,
                         double *votes);

#endif
