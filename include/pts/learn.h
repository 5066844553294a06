/* pts/learn.h: from measured curves and embedded photographs to a head that predicts curves.
 *
 *   pts_tasks *tasks;                              // curves.csv and data sets, embedded and joined
 *   pts_embed_options embed = {.cache = "cache"};
 *   pts_tasks_collect(&tasks, dirs, count, "curves.csv", encoder, &embed, &err);
 *   pts_head_options options = PTS_HEAD_DEFAULTS;
 *   pts_head *head;
 *   pts_head_train(&head, tasks, &options, team, NULL, NULL, &err);
 *   pts_head_write(head, "head.ptsw", &err);
 *   pts_head_close(head);
 *   pts_tasks_destroy(tasks);
 *
 *   pts_head_open(&head, "head.ptsw", &err);       // and later, for new photographs:
 *   pts_head_check_encoder(head, "head.ptsw", encoder, "encoder.ptsw", &err);
 *   pts_curve_prior prior;
 *   pts_head_predict(head, embeddings, 4, &prior, &err);
 *
 * A team may be NULL (one thread). Results depend on the seed, never on the number of threads. */
#ifndef PTS_LEARN_H
#define PTS_LEARN_H

#include "pts/base.h"
#include "pts/curve.h"
#include "pts/data.h"
#include "pts/encoder.h"

#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Embeddings, cached (builds with libyaml) ----
 *
 * A data set's photographs through preset and encoder, in the data set's order. In the cache, a
 * folder made when absent, the result is kept as one .ptsw whose name is the SHA-256 of the
 * encoder's id, the preset and all the files' bytes: a changed photograph or encoder never meets
 * an old result, and a data set that was moved or copied meets its own. Every run reads and hashes
 * all files, on the team: some hundred milliseconds for 100 MB. Half a file is never seen, two
 * processes may share the folder. */
typedef struct pts_embed_options {
    const char *cache;     /* folder; NULL: nothing is kept */
    const char *preset;    /* NULL: the encoder's own */
    bool masks;            /* pts_tasks_collect: a class's label mask is embedded, too (study) */
    pts_team *team;        /* that hashes; the encoder has its own. NULL: the calling thread */
    pts_progress progress; /* stage: the data set's name, over photographs; or NULL */
    void *user;
} pts_embed_options;

typedef struct pts_embeddings {
    size_t images, dim;
    float *values;     /* [images][dim]; pts_embeddings_free releases it */
    bool cached;       /* was read from the cache */
    char contents[65]; /* SHA-256 of the photographs' own SHA-256, in order */
} pts_embeddings;

/* options NULL: all zero. */
pts_status pts_embeddings_of(pts_embeddings *out, pts_encoder *encoder, const pts_dataset *set,
                             const pts_embed_options *options, pts_error *err);
void pts_embeddings_free(pts_embeddings *embeddings);

/* ---- Labels in numbers ----
 *
 * What the labels of one class on one photograph say of how hard it is: sums, so that they add up
 * over photographs. An object's size is the root of its share of the photograph's area; `filled` is
 * how much of its box it covers (wires and rings: little); it is `crowded` where its box meets that
 * of another of its class. Crowds (iscrowd) count for nothing. */
typedef struct pts_label_sums {
    double objects, log_size, log_size_squared, filled, crowded;
} pts_label_sums;

/* instances [count], as a data set has them; those of other classes are passed over. */
void pts_label_sums_of(const pts_instance *instances, size_t count, int class_id,
                       pts_label_sums *out);

/* The same of the photographs images [count] of a set that has been read, for one class: a name or
 * number, or NULL where only one occurs on them. PTS_ERR_ARGUMENT: several do, or none; the class
 * on none of them. `*class_id` (may be NULL) says which. (builds with libyaml) */
pts_status pts_label_sums_pick(const pts_dataset *set, const size_t *images, size_t count,
                               const char *class_name, pts_label_sums *out /* [count] */,
                               int *class_id, pts_error *err);

/* ---- Tasks: one class of one data set, its measured curve and its photographs ---- */
typedef struct pts_task {
    const char *dataset, *class_name;
    size_t points;
    const double *n, *map; /* [points]: n ≥ 1, strictly rising; mAP in [0, 1] */
    size_t images;
    const float *embeddings; /* [images][dim] */
    const double *repeats;   /* [points]: trainings that a point is the mean of; NULL: 1 each */
    const pts_label_sums *labels; /* [images]; NULL: not known */
    /* Every training by itself, n rising, sizes repeated; NULL: the points are all that is known.
     * dataset and class_name are not used. */
    const pts_curve_points *measured;
} pts_task;

/* Photographs of a task that a forecast asks for, and so what a class needs at least. */
enum { PTS_PHOTOGRAPHS = 4 };

typedef struct pts_tasks pts_tasks; /* immutable while it is only read */

pts_status pts_tasks_create(pts_tasks **out, size_t dim, const char *encoder_id, const char *preset,
                            pts_error *err);
void pts_tasks_destroy(pts_tasks *tasks);
/* Copies everything. At least two points and one image, all finite. */
pts_status pts_tasks_add(pts_tasks *tasks, const pts_task *task, pts_error *err);
size_t pts_tasks_count(const pts_tasks *tasks);
size_t pts_tasks_datasets(const pts_tasks *tasks); /* distinct names */
const pts_task *pts_tasks_at(const pts_tasks *tasks, size_t index);

/* With `masks` a photograph's row is its embedding, then that of the class's label mask: the
 * objects filled with 255 on 800 × 800, three equal channels, through the same preset and encoder
 * (the study's variant: heads of 4·4096 or 4·1024 inputs). Joins the curves of a csv file
 * (dataset,class,n,map,…) with data-set folders: `dataset` is the folder's last component, `class`
 * a name or number of its data.yaml. Every curve must find its class; a folder without curves is
 * passed over. Rows of one size (several seeds) become their mean by weight, and stay in
 * `measured`. (builds with libyaml)
 */
pts_status pts_tasks_collect(pts_tasks **out, const char *const *dirs, size_t count,
                             const char *curves, pts_encoder *encoder,
                             const pts_embed_options *options, pts_error *err);

/* ---- The head: k embeddings → a Gaussian over θ = (A, ln B, ln C, D) ----
 *
 * Kind `mlp`, ours, the default: any number of photographs, in any order. Their mean embedding,
 * standardised, on its 2, 4 or 8 leading principal components over the tasks; one hidden layer of
 * 16 ReLU; its output is a step in θ away from one curve for all. Five networks, whose steps are
 * averaged, minimise the squared error of the curve itself, averaged over ln n from the first
 * measured size to the largest, each data set with one vote: 240 steps of Adam with weight decay,
 * from a start at one curve. Number of components and the share of the step that is taken
 * (shrinkage 0.25, 0.5 or 1) are chosen by leaving out whole data sets: the most cautious choice
 * within one standard error of the best. It always depends on the photographs; whether that pays
 * is what the evaluation says. Where they told nothing (22 synthetic populations of eight data
 * sets) its curve error was 0.3 % above the mean curve's on average and 7.4 % at worst.
 *
 * Kind `mean`, ours: the same components, then a linear map to θ: the same error, each class with
 * one vote, plus a ridge penalty that pulls it to one curve for all. Number of components and
 * penalty are chosen by leaving out whole data sets; a choice other than the one curve must beat
 * it significantly (t test over data sets, 97.5 %: with one standard error, the best of sixteen
 * choices followed pure chance in five of twelve synthetic populations). Training samples are sets
 * of four photographs, so that their scatter counts.
 *
 * Kind `study`, the original's, is trained by pts/study.h and takes exactly four photographs, in
 * order; a build without study refuses its files by name.
 *
 * Kinds `mlp` and `mean` carry a second predictor for photographs that are labelled, where the
 * training data are: measured curves, weighted by how alike the labels' numbers are (objects a
 * photograph, their size and its spread, share of their box, crowding) and by ridge regression on
 * them, half and half. Some kilobytes: tensors labelled.*, their number in `labelled`. Every kind
 * carries the prior of its curves alone (tensors population.*), for when there are pilot results.
 *
 * The covariance is the spread of leave-one-data-set-out errors in θ, widened until 80 % bands
 * hold 80 % of the points of a data set that is new (for `study`, whose own are
 * not affordable, that of one curve for all), the noise that of one measured point. The study's own
 * heads, converted, have neither: pts_head_study alone answers for them. */
typedef enum pts_head_kind { PTS_HEAD_MEAN, PTS_HEAD_STUDY, PTS_HEAD_MLP } pts_head_kind;

const char *pts_head_kind_name(pts_head_kind kind); /* "mean", "study", "mlp" */

typedef struct pts_head pts_head; /* predict: one thread at a time */

typedef struct pts_head_options {
    pts_head_kind kind; /* mlp or mean */
    uint64_t seed;
    const char *trainer; /* whose curves it learns from, one line; NULL: not said */
    const char *config;  /* all options as JSON, kept in the file; NULL: none */
} pts_head_options;

#define PTS_HEAD_DEFAULTS                                                                          \
    {                                                                                              \
        PTS_HEAD_MLP, 43, NULL, NULL                                                               \
    }

/* Needs three data sets or more (PTS_ERR_SHAPE). `progress` stage: "choose". */
pts_status pts_head_train(pts_head **out, const pts_tasks *tasks, const pts_head_options *options,
                          pts_team *team, pts_progress progress, void *user, pts_error *err);
/* PTS_ERR_FORMAT for a file that is no head, with what it is instead; PTS_ERR_UNSUPPORTED for a
 * kind that this build lacks. */
pts_status pts_head_open(pts_head **out, const char *path, pts_error *err);
pts_status pts_head_write(const pts_head *head, const char *path, pts_error *err);
void pts_head_close(pts_head *head);

pts_head_kind pts_head_kind_of(const pts_head *head);
size_t pts_head_dim(const pts_head *head);
const char *pts_head_encoder_id(const pts_head *head); /* of the encoder it was trained on */
/* The encoder's architecture, where the file names no single encoder (the study's own heads); else
 * "". */
const char *pts_head_encoder_arch(const pts_head *head);
const char *pts_head_preset(const pts_head *head);
/* Whose curves it learnt from: what its answers speak of. "" where the file does not say. */
const char *pts_head_trainer(const pts_head *head);
/* One line, for people: how it was chosen, and how the whole procedure, choosing included, fared on
 * data sets that no step of it had seen. */
const char *pts_head_summary(const pts_head *head);
/* Where it comes from: "datasets" (names), "datasets_sha256" (name:SHA-256 of the photographs, …),
 * "curves_sha256", "config" (the options, JSON). NULL where the file does not say. */
const char *pts_head_source(const pts_head *head, const char *key);
/* Whether pts_head_predict_labelled answers: heads of kind mlp and mean whose classes all came with
 * labels. */
bool pts_head_takes_labels(const pts_head *head);
/* What all curves that the head learnt from say of the next one, photographs aside
 * (pts_curve_prior_learn), with the trainer: the better start once there are pilot results
 * (pts_evaluate_pilot). False where the file has none: older heads. */
bool pts_head_population(const pts_head *head, pts_prior_file *out);
/* False when the answer is the same for all photographs: a `mean` head that fell back to one curve.
 */
bool pts_head_uses_photographs(const pts_head *head);

/* Whether it was trained on this encoder: by its id, or by the architecture where that is all the
 * file names. */
bool pts_head_goes_with(const pts_head *head, const pts_encoder *encoder);
/* The same as a failure that says what was expected, with the paths as they were given:
 * PTS_ERR_FORMAT for another encoder, PTS_ERR_UNSUPPORTED for another number of embeddings. */
pts_status pts_head_check_encoder(const pts_head *head, const char *head_path,
                                  const pts_encoder *encoder, const char *encoder_path,
                                  pts_error *err);

/* embeddings [count][dim], count ≥ 1 (study: 4). PTS_ERR_UNSUPPORTED for a head without spread. */
pts_status pts_head_predict(pts_head *head, const float *embeddings, size_t count,
                            pts_curve_prior *out, pts_error *err);
/* From the labels of photographs, labels [count]: at least one object. The rule PTS_METHOD_LABELLED
 * over all curves that the head learnt from, chosen and calibrated like the rest; what the
 * photographs look like takes no part (beside their labels it told nothing). For any thread. */
pts_status pts_head_predict_labelled(const pts_head *head, const pts_label_sums *labels,
                                     size_t count, pts_curve_prior *out, pts_error *err);
/* Kind `study`: the network's four numbers minus 10, A, B, C, D as the study's page takes them,
 * with no bounds. embeddings [4][dim]. */
pts_status pts_head_study(pts_head *head, const float *embeddings, double out[4], pts_error *err);

/* ---- Evaluation ---- */

typedef enum pts_method {
    PTS_METHOD_MLP,        /* the mlp head, chosen anew without the held-out data set */
    PTS_METHOD_MEAN,       /* the mean head, likewise; where it fell back it is the one curve */
    PTS_METHOD_ONE_CURVE,  /* one 4PL for all, fitted to the other data sets' curves */
    PTS_METHOD_NEIGHBOURS, /* curves weighted by how alike the photographs are: exp(cosine / τ) */
    PTS_METHOD_NEAREST_CLASS, /* the curve of the one class with the most alike photographs */
    PTS_METHOD_PROCESS,       /* Gaussian process on the mean embedding around the mean curve */
    PTS_METHOD_ENSEMBLE,      /* the mean of neighbours and Gaussian process */
    PTS_METHOD_LABELLED,      /* the photographs are labelled: the mean of neighbours by labels and
                               * ridge on labels; NaN without labels */
    PTS_METHOD_MEAN_CURVE,    /* at each n the mean of the other data sets' curves */
    PTS_METHOD_NEAREST,       /* the mean curve of the data set with the nearest photographs */
    PTS_METHODS
} pts_method;

/* "mlp_head", "mean_head", "one_curve", "neighbours", "nearest_class", "gauss_process", "ensemble",
 * "labelled", "mean_curve", "nearest" */
const char *pts_method_name(pts_method method);

typedef struct pts_score {
    double mae;        /* mean |predicted − measured mAP| over ln n, first to largest size */
    double log2_ratio; /* mean |log2(predicted / true size)| for 80 % of the last mAP … */
    double within_2;   /* … and the share where it is at most 1; NaN where no curve has a size */
    double covered_80; /* share of measured points in the 80 % band; NaN: gives no band */
    double covered_50, covered_95; /* the same of heads */
} pts_score;

typedef struct pts_heldout {
    const char *dataset; /* belongs to the tasks */
    size_t tasks;
    pts_score score[PTS_METHODS];
} pts_heldout;

/* Leave one data set out, everything else chosen and trained on the others (nested). Each class
 * is predicted from several draws of four of its photographs; scores are means over draws, then
 * over classes. Sizes are taken on the measured curve, linear in ln n between points, and both
 * are limited to 1 … 10 times the largest measured size; classes that never reach mAP 0.05 have
 * none. */
typedef struct pts_lodo_report {
    size_t count;
    pts_heldout *heldout;           /* [count] */
    pts_heldout overall;            /* dataset NULL; means over classes */
    double gain[PTS_METHODS];       /* mean over data sets of mae(mean curve) − mae(method) … */
    double gain_error[PTS_METHODS]; /* … and its standard error */
    double log2_median[PTS_METHODS]; /* median of log2_ratio over classes */
    size_t components;               /* mean head chosen on all data sets; 0: one curve for all */
    double penalty;
    size_t mlp_components; /* mlp head chosen on all data sets */
    double mlp_shrinkage;
} pts_lodo_report;

/* A gain over the mean curve and its standard error in words: whether the method wins, and how
 * surely. */
const char *pts_gain_verdict(double gain, double error);

pts_status pts_evaluate_lodo(pts_lodo_report *out, const pts_tasks *tasks, uint64_t seed,
                             pts_team *team, pts_progress progress, void *user, pts_error *err);
void pts_lodo_report_free(pts_lodo_report *report);

/* Whether photographs still help once a few sizes are measured: forecasts of the curves of a data
 * set that is left out, from its trainings with up to N images and a prior of the others. */
typedef enum pts_pilot_prior {
    PTS_PILOT_POPULATION, /* pts_curve_prior_learn, as pts_extrapolate has it: no photographs */
    PTS_PILOT_ONE_CURVE,  /* the head's own spread around one curve for all: no photographs */
    PTS_PILOT_HEAD,       /* the mlp head, chosen and trained on the others, four photographs */
    PTS_PILOT_LABELLED,   /* PTS_METHOD_LABELLED, likewise; NaN without labels */
    PTS_PILOT_PRIORS
} pts_pilot_prior;

/* "population", "one_curve", "mlp_head", "labelled" */
const char *pts_pilot_prior_name(pts_pilot_prior prior);

typedef struct pts_pilot_row {
    double upto;             /* pilot sizes up to this; 0: none */
    size_t curves, datasets; /* those with sizes beyond */
    /* Means over curves, of draws of photographs too, as pts_forecast_score has them. */
    double mae[PTS_PILOT_PRIORS], covered_80[PTS_PILOT_PRIORS];
    /* Mean over data sets of mae(population) − mae(prior), and its standard error. */
    double gain[PTS_PILOT_PRIORS], gain_error[PTS_PILOT_PRIORS];
} pts_pilot_row;

/* rows [count], of upto [count]. Every training counts by itself, its noise as pts/curve.h has it.
 * Three data sets or more (PTS_ERR_SHAPE). `progress` stages: "choose", "forecast". */
pts_status pts_evaluate_pilot(const pts_tasks *tasks, const double *upto, size_t count,
                              pts_pilot_row *rows, uint64_t seed, pts_team *team,
                              pts_progress progress, void *user, pts_error *err);

#ifdef __cplusplus
}
#endif

#endif
