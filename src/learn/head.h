/* What a head holds: asked in head.c, read in head_read.c; written (head_write.c) and trained
 * (head_train.c) where the build trains. */
#ifndef PTS_SRC_LEARN_HEAD_H
#define PTS_SRC_LEARN_HEAD_H

#include "learn/network.h"
#include "learn/population.h"
#include "pts/learn.h"
#include "pts/weights.h"

#define HEAD_SUMMARY 1024
#define HEAD_COUNT 100000 /* known curves at most */

enum { HEAD_SOURCES = 3 };
extern const char *const pts_head_source_keys[HEAD_SOURCES];

/* Tensors of a file that is written. */
typedef struct head_tensors {
    pts_tensor items[32];
    size_t count;
} head_tensors;

/* columns 0: a vector of `rows`. */
void pts_head_list(head_tensors *list, const char *name, const float *data, size_t rows,
                   size_t columns);
/* The way back: PTS_ERR_NUMERIC for what is not finite, by name. */
pts_status pts_head_take(const pts_weights *w, const char *name, size_t rows, size_t columns,
                         float *to, pts_error *err);

/* What only some builds have of a head: `own` is the part's alone. */
typedef struct head_part {
    /* `size`: dim, of the study's network; the number of known curves, of labels. */
    pts_status (*read)(void **own, size_t size, const pts_weights *w, pts_error *err);
    void (*list)(void *own, head_tensors *list);
    void (*free)(void *own);
    /* Of the two either is there. `numbers`: A, B, C, D without bounds; embeddings [4][dim]. */
    pts_status (*study)(void *own, const float *embeddings, double numbers[4], double theta[4],
                        pts_error *err);
    pts_status (*labelled)(void *own, const pts_label_sums *labels, size_t count,
                           pts_curve_prior *out, pts_error *err);
} head_part;

typedef struct head_use {
    const head_part *part; /* NULL: the head has none */
    void *own;
} head_use;

/* Kind study is of that room, so that this one stands without it. */
#ifdef PTS_HAVE_STUDY
extern const head_part pts_head_study_part;
#endif
#ifdef PTS_HAVE_TRAINING
extern const head_part pts_head_labels_part; /* labelled.c */
#endif

struct pts_head {
    pts_head_kind kind;
    size_t dim;
    char *encoder, *preset, *datasets, *made_by, *trainer;
    char *sources[HEAD_SOURCES]; /* by pts_head_source_keys; or NULL */
    char encoder_arch[32];
    bool no_spread; /* covariance and noise are not there */
    char summary[HEAD_SUMMARY];
    /* Kept in float as in the file, so that a head answers alike before and after it was saved. */
    float covariance[16], noise;
    float *centre, *map;             /* mean: [dim], [dim][4] */
    float theta[4], low[4], high[4]; /* mean: θ of the average photograph, and its range */
    /* mlp: centre, theta of one curve, low and high of the step in units, and */
    size_t components;
    float *projection; /* [dim][components] */
    float shrinkage, members[PERCEPTRON_FLOATS];
    head_use study, labels; /* labels: of kinds mlp and mean */
    size_t labelled;        /* known curves with labels; 0: none */
    population_model population;
};

/* sources [HEAD_SOURCES], by key; NULL: not known. */
pts_status pts_head_copy_sources(pts_head *head, const char *const *sources, pts_error *err);

#endif
