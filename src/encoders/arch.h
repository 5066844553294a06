/* What encoder.c asks of an architecture; its table lists them.
 *
 * A model is the weights, checked and packed: one an encoder. A pass is what one forward pass
 * works in: an encoder keeps one that runs on the whole team, and where the architecture says so
 * one more a thread. */
#ifndef PTS_SRC_ENCODERS_ARCH_H
#define PTS_SRC_ENCODERS_ARCH_H

#include "kernels/level.h"
#include "pts/encoder.h"
#include "pts/weights.h"

#include <stdbool.h>

typedef struct pts_arch_info {
    size_t input; /* side of the square input */
    size_t dim;   /* of the embedding */
    size_t group; /* images that a pass takes at most */
    bool alone;   /* many images: one a thread at a time, rather than groups on the whole team */
    double flops; /* the textbook's, of one image */
} pts_arch_info;

/* One forward pass. */
typedef struct pts_arch_run {
    const float *images; /* [count][height][width][3] */
    size_t count, height, width;
    float *out;       /* [count][dim] */
    const char *last; /* stop after this tap; NULL: go on to the end */
    pts_tap_visitor visit;
    pts_step_visitor visit_step;
    void *user;
    bool stopped; /* out: `last` came, and `out` was not written */
} pts_arch_run;

/* encoder.c allocates models and passes, zeroed, and frees them after `close` and `pass_close`,
 * which take what an opening left, one that failed too. */
typedef struct pts_arch {
    const char *name;
    size_t model_size, pass_size;
    /* Fills *info. The model borrows weights and team. */
    pts_status (*open)(void *model, pts_weights *weights, const pts_level *level, pts_team *team,
                       pts_arch_info *info, pts_error *err);
    void (*close)(void *model);
    /* Ready for the usual input; team NULL: a pass for one thread. */
    pts_status (*pass_open)(void *pass, void *model, pts_team *team, pts_error *err);
    void (*pass_close)(void *pass);
    size_t (*pass_bytes)(const void *pass);
    pts_status (*run)(void *pass, pts_arch_run *run, pts_error *err);
} pts_arch;

/* Of the file that names its functions and their model and pass so. */
#define PTS_ARCH(text, model, pass)                                                                \
    {                                                                                              \
        .name = (text), .model_size = sizeof(model), .pass_size = sizeof(pass),                    \
        .open = open_model, .close = close_model, .pass_open = open_pass,                          \
        .pass_close = close_pass, .pass_bytes = pass_bytes, .run = run_pass                        \
    }

extern const pts_arch pts_arch_inception_v3, pts_arch_clip_vit;

#endif
