/* What a head holds: trained and asked in head.c, written and read in head_file.c. */
#ifndef PTS_SRC_LEARN_HEAD_H
#define PTS_SRC_LEARN_HEAD_H

#include "learn/labelled.h"
#include "learn/population.h"
#include "pts/learn.h"

#define HEAD_SUMMARY 1024

enum { HEAD_SOURCES = 3 };
extern const char *const pts_head_source_keys[HEAD_SOURCES];

struct pts_head {
    pts_head_kind kind;
    size_t dim;
    char *encoder, *preset, *datasets, *made_by, *trainer;
    char *sources[HEAD_SOURCES]; /* by pts_head_source_keys; or NULL */
    char encoder_arch[32];
    int no_spread; /* covariance and noise are not there */
    char summary[HEAD_SUMMARY];
    /* Kept in float as in the file, so that a head answers alike before and after it was saved. */
    float covariance[16], noise;
    float *centre, *map;             /* mean: [dim], [dim][4] */
    float theta[4], low[4], high[4]; /* mean: θ of the average photograph, and its range */
    pts_mlp *mlp;                    /* study */
    /* mlp: centre, theta of one curve, low and high of the step in units, and */
    size_t components;
    float *projection; /* [dim][components] */
    float shrinkage;
    pts_mlp *member[PERCEPTRON_MEMBERS];
    labelled_model labelled;     /* of any kind, */
    population_model population; /* too */
};

/* sources [HEAD_SOURCES], by key; NULL: not known. */
pts_status pts_head_copy_sources(pts_head *head, const char *const *sources, pts_error *err);

#endif
