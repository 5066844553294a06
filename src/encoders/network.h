/* What the architectures are written in: operations on maps that first plan, then compute.
 *
 * An architecture is one function that calls these in order. It runs twice: with planning on,
 * where each operation checks its tensors against the weights file and the network notes the
 * largest map of each kind; then, after network_prepare, for real. So the size of the arena can
 * never drift from what the forward pass uses. The first failure sticks in `status`; later
 * operations do nothing. */
#ifndef PTS_SRC_ENCODERS_NETWORK_H
#define PTS_SRC_ENCODERS_NETWORK_H

#include "base/memory.h"
#include "kernels/kernels.h"
#include "pts/encoder.h"
#include "pts/weights.h"

#include <stdbool.h>

enum { MAX_LAYERS = 128, SCRATCH_MAPS = 2 };

typedef struct network {
    const pts_weights *weights;
    pts_team *team;
    int count_padding; /* the average pool's convention, as the file names it */

    bool planning;
    size_t main_floats, scratch_floats, work_floats; /* planned: the largest of each */
    pts_arena arena;
    float *main[2], *scratch[SCRATCH_MAPS], *work;
    int turn; /* which of main[] the next block writes to */

    struct {
        const float *weight, *bias;
    } layers[MAX_LAYERS]; /* bound while planning, in the order of the calls */
    size_t layer;

    const char *last; /* stop after this tap; NULL: go on to the end */
    bool done;
    pts_tap_visitor visit;
    void *user;

    pts_status status;
    pts_error *err;
} network;

/* Backs what was planned with an arena of just that size. */
pts_status network_prepare(network *net);
void network_free(network *net);

/* A new main map: the output of a block, valid until the block after the next. */
pts_feature_map network_output(network *net, size_t height, size_t width, size_t channels);
/* Channels [first, first + channels) of a map. */
pts_feature_map network_slice(pts_feature_map map, size_t first, size_t channels);

/* conv + folded batch norm + ReLU, tensors BLOCK.BRANCH.weight and .bias ("BLOCK.weight" where
 * branch is NULL), into `out`. */
void network_conv(network *net, const char *block, const char *branch, pts_feature_map in,
                  pts_window window, pts_feature_map out);
/* The same into scratch map `which` with `channels` channels. */
pts_feature_map network_conv_scratch(network *net, const char *block, const char *branch,
                                     pts_feature_map in, pts_window window, size_t channels,
                                     int which);
void network_max_pool(network *net, pts_feature_map in, pts_window window, pts_feature_map out);
pts_feature_map network_average_pool_scratch(network *net, pts_feature_map in, pts_window window,
                                             int which);

/* Shows the map to the visitor; ends the run where it is the last one wanted. */
void network_tap(network *net, const char *name, pts_feature_map map);

#endif
