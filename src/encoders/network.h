/* What the architectures are written in: operations on maps that first plan, then compute.
 *
 * An architecture is one function that calls these in order. It runs twice: with planning on,
 * where each operation checks its tensors against the weights file and the network notes the
 * largest map of each kind; then, after pts_network_prepare, for real. So the size of the arena can
 * never drift from what the forward pass uses. The first failure sticks in `status`; later
 * operations do nothing. */
#ifndef PTS_SRC_ENCODERS_NETWORK_H
#define PTS_SRC_ENCODERS_NETWORK_H

#include "base/memory.h"
#include "kernels/conv.h"
#include "pts/encoder.h"
#include "pts/weights.h"

#include <stdbool.h>

enum { MAX_LAYERS = 128, LAYER_NAME = 64, SCRATCH_MAPS = 2 };

/* The convolutions of an architecture in the order of the calls, their weights packed for one
 * level. Bound by the first plan, then immutable and shared by all networks that run it. */
typedef struct network_layers {
    const pts_level *level;
    pts_weights *weights;
    size_t count;
    bool bound;
    struct network_layer {
        pts_conv conv;
        const pts_tensor *weight, *bias;
        char name[LAYER_NAME]; /* "Mixed_5b.branch1x1" */
    } layer[MAX_LAYERS];
    pts_arena arena; /* the packed weights */
} network_layers;

typedef struct network {
    network_layers *layers;
    pts_team *team;
    bool count_padding; /* the average pool's convention, as the file names it */

    bool planning;
    size_t main_floats, scratch_floats, work_floats; /* planned: the largest of each */
    double flops;                                    /* planned: the textbook's, of one run */
    pts_arena arena;
    float *main[2], *scratch[SCRATCH_MAPS], *work;
    int turn;     /* which of main[] the next block writes to */
    size_t layer; /* the next one */

    const char *last; /* stop after this tap; NULL: go on to the end */
    bool done;
    pts_tap_visitor visit;
    pts_step_visitor visit_step;
    void *user;

    pts_status status;
    pts_error *err;
} network;

/* Packs the weights of all bound layers, on the team; the file's pages of each are dropped from
 * memory once it is packed. */
pts_status pts_network_layers_pack(network_layers *layers, pts_team *team, pts_error *err);

/* Sets all that a run begins with. */
void pts_network_begin(network *net, bool planning, const char *last, pts_error *err);
/* Backs what was planned with an arena of just that size. */
pts_status pts_network_prepare(network *net);
void pts_network_free(network *net);

/* A new main map: the output of a block, valid until the block after the next. */
pts_feature_map pts_network_output(network *net, size_t height, size_t width, size_t channels);
/* Channels [first, first + channels) of a map. */
pts_feature_map pts_network_slice(pts_feature_map map, size_t first, size_t channels);

/* conv + folded batch norm + ReLU, tensors BLOCK.BRANCH.weight and .bias ("BLOCK.weight" where
 * branch is NULL), into `out`. */
void pts_network_conv(network *net, const char *block, const char *branch, pts_feature_map in,
                      pts_window window, pts_feature_map out);
/* The same into scratch map `which` with `channels` channels. */
pts_feature_map pts_network_conv_scratch(network *net, const char *block, const char *branch,
                                         pts_feature_map in, pts_window window, size_t channels,
                                         int which);
void pts_network_max_pool(network *net, pts_feature_map in, pts_window window, pts_feature_map out);
/* Average pool, then a 1×1 conv: computed the other way round, which is the same (both are linear)
 * and pools the fewer channels. Uses scratch map 0. */
void pts_network_pooled_conv(network *net, const char *block, const char *branch,
                             pts_feature_map in, pts_window pool, pts_feature_map out);

/* out [channels] = the mean over the map's pixels. */
void pts_network_global_average(network *net, pts_feature_map in, float *out);

/* Shows the map to the visitor; ends the run where it is the last one wanted. */
void pts_network_tap(network *net, const char *name, pts_feature_map map);

#endif
