/* pts/forecast.h: a question as people ask it, the one call that answers it, and its answer as
 * every front end gives it. The command line and the service share what is here, so that they never
 * differ in a decision, a figure or a word.
 *
 *   const char *encoders[] = {"inception_v3.ptsw"}, *heads[] = {"head-builtin.ptsw"}, *field;
 *   const pts_model_files files = {encoders, 1, heads, 1, NULL, 0};
 *   pts_models *models;
 *   PTS_TRY(pts_models_load(&models, &files, team, &err));
 *   const pts_photograph photographs[PTS_PHOTOGRAPHS] = {{"1.jpg"}, {"2.jpg"}, {"3.jpg"},
 * {"4.jpg"}}; pts_given given = {.question = PTS_QUESTION_DEFAULTS, .photographs = photographs};
 *   bool percent;
 *   PTS_TRY(pts_target_read("0.5", &given.question.target, &percent, &err));
 *   PTS_TRY(pts_question_check(&given.question, &field, &err));
 *   pts_answer *answer = malloc(sizeof *answer);          // 100 kB: mind small stacks
 *   PTS_TRY(pts_forecast_find(models, &given, answer, &field, &err));
 *   char *json;
 *   PTS_TRY(pts_answer_json(answer, 0, &json, &err));
 *
 * Values are plain; texts that are returned come from malloc and are the caller's. Models are
 * shared by threads as said below, all other functions are pure, for any thread. JSON needs jansson
 * and figures cairo: without them the functions return PTS_ERR_UNSUPPORTED. Numbers in JSON have 17
 * significant digits; what is not finite is null. */
#ifndef PTS_FORECAST_H
#define PTS_FORECAST_H

#include "pts/base.h"
#include "pts/curve.h"
#include "pts/encoder.h"
#include "pts/learn.h"

#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Reading what people type ---- */

/* 0 < *target < 1; a number in (1, 100) is percent, is divided by 100, and *percent says so. */
pts_status pts_target_read(const char *text, double *target, bool *percent, pts_error *err);
/* "A,B,C,D", made canonical. */
pts_status pts_params_read(const char *text, pts_curve *curve, pts_error *err);

/* ---- Doubts: what is odd about measured points, in words ---- */

enum { PTS_DOUBTS = 8 };

typedef struct pts_doubts {
    char text[PTS_DOUBTS][200];
    size_t count;
} pts_doubts;

/* Adds one; beyond PTS_DOUBTS nothing. */
void pts_doubt(pts_doubts *to, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Of a curve read from a file in percent or not: copies of rows, a unit unlike the file's, one size
 * only, equal values, a fall. y [c->count]: its metric of that name. */
void pts_doubt_points(pts_doubts *to, const pts_curve_points *c, const double *y,
                      const char *metric, bool percent);

/* ---- The question of ptsinfer predict ---- */

typedef struct pts_question {
    double target, confidence;  /* both above 0 and below 1 */
    double tau, cost;           /* margin of the plan, price of an image; at least 0 */
    long rounds;                /* of the plan; 0: no plan */
    const pts_curve_set *pilot; /* of one curve, borrowed; NULL: no pilot results */
} pts_question;

#define PTS_QUESTION_DEFAULTS                                                                      \
    {                                                                                              \
        0.5, 0.8, 0, 0, 0, NULL                                                                    \
    }

/* On failure *field names the member ("confidence", "rounds", "tau", "cost_per_image") and the
 * message does not. */
pts_status pts_question_check(const pts_question *question, const char **field, pts_error *err);

/* Where the prior comes from. */
typedef struct pts_answer_source {
    const char *encoder;   /* architecture, of the photographs; NULL: none were given to one */
    const char *trainer;   /* whose curves; "": not said */
    bool uses_photographs; /* pts_head_uses_photographs */
    bool past_curves;      /* the prior is theirs (pts_prior_file, pts_head_population), whatever
                            * else was given */
    /* The labels of so many photographs answered (pts_head_predict_labelled), encoder is NULL; how
     * many of them show the class, and its objects on them. 0: no labels. */
    size_t labelled, showing, objects;
    size_t curves, datasets; /* how many past curves, with past_curves; 0: not said */
} pts_answer_source;

typedef struct pts_answer {
    pts_question question; /* its pilot still borrowed */
    bool from_past_curves, from_photographs, uses_photographs;
    size_t labelled, showing, objects, curves, datasets; /* as in the source */
    char encoder[32], trainer[128];
    pts_curve_prior prior;
    pts_curve_posterior posterior;
    pts_curve_answer size;
    double next, next_width, width; /* where to measure; the interval's width, log2, then and now */
    pts_curve_plan plan;            /* with rounds */
    pts_doubts doubts;              /* pilot results that are odd, or at odds with the forecast */
} pts_answer;

/* The pilot results; a curve of no points where there are none. */
const pts_curve_points *pts_question_pilot(const pts_question *question);

/* The answer to a question that pts_question_check has passed; source's texts are copied. */
pts_status pts_answer_find(const pts_curve_prior *prior, const pts_answer_source *source,
                           const pts_question *question, pts_answer *out, pts_error *err);

/* ---- Models: encoders, the heads that go with them, priors ---- */

typedef struct pts_prior_name {
    const char *name, *path; /* what a question calls it, and its file */
} pts_prior_name;

typedef struct pts_model_files {
    const char *const *encoders; /* none: the heads are for labels and pilot results only */
    size_t encoder_count;
    const char *const *heads; /* each goes with one of the encoders */
    size_t head_count;
    const pts_prior_name *priors;
    size_t prior_count;
} pts_model_files;

/* Loaded once, then immutable and counted: whoever asks holds a share, so that others can take the
 * place of these while answers are made. Any number of threads may ask; an encoder is for one at a
 * time (pts_given.embed). */
typedef struct pts_models pts_models;

typedef struct pts_model {
    pts_encoder *encoder;  /* NULL where the heads were loaded alone */
    pts_head *head;        /* with a spread: answers; or NULL */
    pts_head *study;       /* the study's network (pts/study.h); or NULL */
    const char *head_path; /* of either, for messages */
} pts_model;

typedef struct pts_named_prior {
    const char *name;
    pts_prior_file file;
} pts_named_prior;

/* The files are opened and matched: a head goes with the encoder whose id it carries, one of the
 * study's own with any encoder of its architecture; PTS_ERR_FORMAT or PTS_ERR_SHAPE for one that
 * goes with none. The team (may be NULL) is borrowed. */
pts_status pts_models_load(pts_models **out, const pts_model_files *files, pts_team *team,
                           pts_error *err);
pts_models *pts_models_share(pts_models *models);
void pts_models_release(pts_models *models); /* the last share closes the files */

/* [*count], the models'. */
const pts_model *pts_models_list(const pts_models *models, size_t *count);
const pts_named_prior *pts_models_priors(const pts_models *models, size_t *count);
/* By the encoder's architecture or id; NULL: the first with a head. NULL where there is none. */
const pts_model *pts_models_find(const pts_models *models, const char *encoder);

/* ---- The forecast ---- */

/* Embeds photographs [PTS_PHOTOGRAPHS] by the model's encoder: embeddings [PTS_PHOTOGRAPHS][dim].
 * preset NULL: the encoder's own. */
typedef pts_status (*pts_embedder)(void *user, const pts_model *model, const char *preset,
                                   const pts_photograph *photographs, float *embeddings,
                                   pts_error *err);

/* What a person knows; all borrowed. Either a prior is named or photographs are there. */
typedef struct pts_given {
    pts_question question;             /* has passed pts_question_check */
    const char *prior;                 /* one of the models' by name; or NULL */
    const char *encoder;               /* who looks at the photographs (pts_models_find) */
    const pts_photograph *photographs; /* [PTS_PHOTOGRAPHS]; or NULL */
    const pts_label_sums *labels;      /* [PTS_PHOTOGRAPHS], of them; or NULL */
    pts_image_limits limits;           /* of a photograph; all 0: the defaults */
    pts_embedder embed;                /* NULL: here and now, by one thread at a time */
    void *user;
} pts_given;

/* The answer. Which prior it starts from is decided here and nowhere else:
 *   the named one, else
 *   with pilot results that of the curves which the head learnt from, where it carries them: beside
 *     pilot results neither photographs nor labels have made forecasts better (pts_evaluate_pilot),
 *   else with labels what they say (pts_head_predict_labelled),
 *   else what the photographs look like (pts_head_predict).
 * Photographs that are not looked at must be photographs all the same. On failure *field is what is
 * to blame: "prior", "encoder", "labels", "images", or NULL. */
pts_status pts_forecast_find(pts_models *models, const pts_given *given, pts_answer *out,
                             const char **field, pts_error *err);

/* The photographs of `given` through the model's encoder, as pts_forecast_find does it. */
pts_status pts_given_embed(const pts_given *given, const pts_model *model, const char *preset,
                           float *embeddings, pts_error *err);

/* ---- The answer, shown ---- */

/* One more measurement where `next` says narrows the interval by more than 5 %. */
bool pts_answer_has_next(const pts_answer *answer);

/* What ptsinfer predict --json prints: A, B, C, D, target, n, n_low, n_high (null: out of reach),
 * status, confidence, probability_reachable, prior ("photographs", "labels" or "past_curves": what
 * the pilot is weighed against), encoder (null without photographs, and with labels),
 * uses_photographs, labels (null, or {photographs, showing, objects}), pilot_points, trainer,
 * n_median, plateau, plateau_error, laplace_agrees, next_size, and where they were asked for cost
 * and plan; caveats where there are any. With PTS_ANSWER_DETAIL there is a member `detail` besides,
 * for who draws the figure and moves the target: n, curve, low, high, before [200] (the
 * forecast, its band and the median before the pilot, over the figure's axis), pilot_n, pilot_map
 * and targets, sizes, sizes_low, sizes_high, reachable [99]: the answers for 0.01 …
 * 0.99. */
enum { PTS_ANSWER_DETAIL = 1 };
pts_status pts_answer_json(const pts_answer *answer, int flags, char **json, pts_error *err);

/* The figure: to a file (pts/plot.h), or as SVG. */
pts_status pts_answer_plot(const pts_answer *answer, const char *path, pts_error *err);
pts_status pts_answer_svg(const pts_answer *answer, char **svg, size_t *size, pts_error *err);

/* ---- The study's page: no interval ---- */

typedef struct pts_study_answer {
    double target;
    pts_curve curve; /* as the heads have it */
    bool is_curve;   /* B ≠ 0, C > 0, all finite */
    double n;
    pts_size_status status;
} pts_study_answer;

/* What pts_study_forecast (pts/study.h) answers. */
pts_status pts_study_answer_json(const pts_study_answer *answer, char **json, pts_error *err);
/* PTS_ERR_NUMERIC where the numbers are no curve. */
pts_status pts_study_answer_plot(const pts_study_answer *answer, const char *path, pts_error *err);
pts_status pts_study_answer_svg(const pts_study_answer *answer, char **svg, size_t *size,
                                pts_error *err);

/* ---- A curve alone: what ptsinfer curve answers ---- */

typedef struct pts_curve_reply {
    pts_curve curve;        /* canonical */
    bool has_at;            /* else has a target */
    double at, target;      /* asked */
    double map, n;          /* answered */
    pts_size_status status; /* PTS_SIZE_OK with has_at */
} pts_curve_reply;

/* Texts as typed; exactly one of target and at is not NULL. On failure *field is "params",
 * "target", "at" or NULL, and the message does not name it. */
pts_status pts_curve_reply_find(const char *params, const char *target, const char *at,
                                pts_curve_reply *out, bool *percent, const char **field,
                                pts_error *err);
pts_status pts_curve_reply_json(const pts_curve_reply *reply, char **json, pts_error *err);

#ifdef __cplusplus
}
#endif

#endif
