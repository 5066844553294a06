/* The decoder: frozen features of one window of cells → two logits for each fine cell. */
#ifndef PTS_SRC_SEGMENT_DECODER_H
#define PTS_SRC_SEGMENT_DECODER_H

#include "base/memory.h"
#include "segment/features.h"

enum { OBJECT, CORE, OUTPUTS };

/* Floats of all weights and biases in one block. */
size_t pts_decoder_parameters(void);
void pts_decoder_init(float *parameters, uint64_t seed);

/* A layer's weights [kernel][kernel][in][out] or biases [out] within the block; names and order
 * are those of a saved segmenter. */
typedef struct decoder_part {
    const char *layer; /* "squeeze" … "logits" */
    bool is_bias;
    size_t shape[4]; /* a bias: its first entry */
    size_t offset, count;
} decoder_part;
enum { DECODER_PARTS = 14 };
decoder_part pts_decoder_part_at(int index);

/* Activations of a window of at most rows × columns coarse cells, for forward, or both ways. */
typedef struct decoder_tape {
    float *wide[3];   /* [rows][columns][WIDE] */
    float *neck;      /* [rows][columns][NECK] */
    float *joined;    /* [2·rows][2·columns][NECK + FINE_CHANNELS] */
    float *narrow[2]; /* [2·rows][2·columns][NARROW] */
    float *logits;    /* [2·rows][2·columns][OUTPUTS] */
    float *grad[2];   /* as large as the largest of the above; NULL for forward only */
    float *work;
} decoder_tape;

void pts_decoder_tape_layout(decoder_tape *tape, pts_arena *arena, size_t rows, size_t columns,
                             bool backward);

/* coarse [rows][columns][COARSE_CHANNELS], fine [2·rows][2·columns][FINE_CHANNELS] →
 * tape->logits. */
void pts_decoder_forward(const float *parameters, const float *coarse, const float *fine,
                         size_t rows, size_t columns, decoder_tape *tape);
/* From dlogits (in the shape of tape->logits), after a forward of the same input: adds to
 * gradient [pts_decoder_parameters()]. */
void pts_decoder_backward(const float *parameters, const float *coarse, size_t rows, size_t columns,
                          const float *dlogits, decoder_tape *tape, float *gradient);

#endif
