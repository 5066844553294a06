/* pts/encoder.h: a frozen image encoder, from a .ptsw file to embeddings.
 *
 *   pts_encoder *encoder;
 *   if (pts_encoder_open(&encoder, "weights/inception_v3.ptsw", team, &err) != PTS_OK) …
 *   float *image;        // [299][299][3], as the preset of the file has it: pts/image.h
 *   float embedding[2048];
 *   pts_encoder_embed(encoder, image, 1, embedding, &err);
 *   pts_encoder_close(encoder);
 *
 * Architectures: inception_v3 (Szegedy et al. 2016, "Rethinking the Inception Architecture for
 * Computer Vision"; layer list and padding as in keras.applications and torchvision, which differ
 * only in the average pool at the borders: the file names which); clip_vit (the image tower of
 * CLIP, Radford et al. 2021, "Learning Transferable Visual Models From Natural Language
 * Supervision": all its sizes follow from the shapes of the tensors, so B/32, B/16, L/14 and
 * L/14@336 are one architecture; its output equals the reference's encode_image, not normalised).
 *
 * An encoder keeps the file mapped and owns arenas, planned when they are first needed: for
 * inception_v3 for one image of the size it last saw (another size plans anew) and, where there
 * are images for all threads, one more a thread; for clip_vit for as many images as it takes at
 * once. clip_vit packs a layer's weights when it is first run, not at open. It is for one thread
 * at a time; the team is borrowed and must outlive it. */
#ifndef PTS_ENCODER_H
#define PTS_ENCODER_H

#include "pts/base.h"
#include "pts/image.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct pts_encoder pts_encoder;

pts_status pts_encoder_open(pts_encoder **out, const char *path, pts_team *team, pts_error *err);
void pts_encoder_close(pts_encoder *encoder);

const char *pts_encoder_arch(const pts_encoder *encoder);   /* "inception_v3", "clip_vit" */
const char *pts_encoder_preset(const pts_encoder *encoder); /* "keras": what the weights expect */
/* The weights' identity: 64 hexadecimal digits (SHA-256 of the file they were converted from). */
const char *pts_encoder_id(const pts_encoder *encoder);
size_t pts_encoder_dim(const pts_encoder *encoder);        /* 2048 */
size_t pts_encoder_input_size(const pts_encoder *encoder); /* 299: side of the square input */
size_t pts_encoder_arena_bytes(const pts_encoder *encoder);

/* images [count][size][size][3], as the preset leaves them → out [count][dim]. The result of an
 * image does not depend on the others of its batch. With images for all threads inception_v3 runs
 * one a thread, so that threads do not wait for each other; clip_vit takes several at once on the
 * whole team, so that its weights, larger than any cache, are read once for all of them. */
pts_status pts_encoder_embed(pts_encoder *encoder, const float *images, size_t count, float *out,
                             pts_error *err);

/* Makes image `index` of the batch, [size][size][3]: called from the team's threads, several at
 * once with distinct `image`. A failure ends the run with that status and message. */
typedef pts_status (*pts_image_source)(void *user, size_t index, float *image /* [size][size][3] */,
                                       pts_error *err);

/* The same for images that are made only when their turn comes: an image a thread, or the images
 * that are taken at once, are in memory. With images for all threads inception_v3 makes and encodes
 * on each thread, so that decoding on one core overlaps with encoding on another; clip_vit makes a
 * group's images on all threads, then encodes them. The failure of the first image in order is the
 * one reported; the rows before it are whole. */
pts_status pts_encoder_embed_from(pts_encoder *encoder, pts_image_source source, void *user,
                                  size_t count, float *out /* [count][dim] */, pts_error *err);

/* A photograph, wherever its bytes are. */
typedef struct pts_photograph {
    const char *name;    /* its path; with data, what messages call it */
    const uint8_t *data; /* [size]; NULL: the bytes of the file `name` */
    size_t size;
} pts_photograph;

/* Decoded within `limits` (NULL: the defaults) and made an encoder's input of side `size` by
 * `preset` (pts/image.h). Messages begin with its name. */
pts_status pts_photograph_ready(const pts_photograph *photograph, const pts_image_limits *limits,
                                const char *preset, size_t size, float *out /* [size][size][3] */,
                                pts_error *err);
/* Whether it is a photograph that could be decoded, as pts_image_probe. */
pts_status pts_photograph_check(const pts_photograph *photograph, const pts_image_limits *limits,
                                pts_error *err);

/* The same from files: each photograph is read within `limits` (NULL: the defaults) and made ready
 * by `preset` (NULL: the encoder's own; pts/image.h) when its turn comes. On failure the message
 * names the first photograph in order that failed, and *done (may be NULL) is how many rows of
 * `out` before it are whole; on success it is `count`. */
pts_status pts_encoder_embed_files(pts_encoder *encoder, const char *const *paths, size_t count,
                                   const char *preset, const pts_image_limits *limits,
                                   float *out /* [count][dim] */, size_t *done, pts_error *err);

/* Multiplications and additions of one image by the textbook's algorithm: what speed is quoted
 * in, whatever the kernels really do. */
double pts_encoder_flops(const pts_encoder *encoder);

/* One step of the forward pass as it was run. */
typedef struct pts_encoder_step {
    const char *name;   /* "Mixed_5b.branch5x5_2", valid during the call only */
    const char *method; /* "product", "winograd 4x4" …: how it was computed */
    double flops;       /* the textbook's; 0 for pooling and the like */
    double seconds;
} pts_encoder_step;
typedef void (*pts_step_visitor)(void *user, const pts_encoder_step *step);

/* Embeds one image and tells how long each step took, on the whole team. */
pts_status pts_encoder_profile(pts_encoder *encoder, const float *image /* [size][size][3] */,
                               pts_step_visitor visit, void *user, pts_error *err);

/* One image [height][width][3] through the network; `visit` sees each named tap right after it was
 * computed: map [height][width][channels], valid only during the call. inception_v3 takes any sides
 * of at least 75, fully convolutionally; its taps are "Conv2d_1a_3x3" … "Mixed_7c", torchvision's
 * names, and "embedding". clip_vit takes its own size; its taps are "pre_norm", "layer0" … the last
 * layer (height 1, width the number of tokens, the class token first) and "embedding". The run
 * stops after `last` (NULL: runs to the end); PTS_ERR_ARGUMENT where no tap is called so. */
typedef void (*pts_tap_visitor)(void *user, const char *name, const float *map, size_t height,
                                size_t width, size_t channels);
pts_status pts_encoder_taps(pts_encoder *encoder, const float *image, size_t height, size_t width,
                            const char *last, pts_tap_visitor visit, void *user, pts_error *err);

#ifdef __cplusplus
}
#endif

#endif
