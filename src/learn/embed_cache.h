/* The folder where embeddings are kept. */
#ifndef PTS_SRC_LEARN_EMBED_CACHE_H
#define PTS_SRC_LEARN_EMBED_CACHE_H

#include "pts/learn.h"

/* What embeddings are of; together with the encoder's id it is the file's name. */
typedef struct pts_cache_entry {
    const char *what, *preset, *dataset;
    const char *contents; /* SHA-256 in hexadecimal */
} pts_cache_entry;

/* Fills out->values [images][dim], which are there. */
typedef pts_status (*pts_cache_make)(const void *user, pts_error *err);

/* Reads out->values [images][dim] from the cache, or makes them and leaves them there; without a
 * cache (NULL) they are made. */
pts_status pts_cache_get(pts_embeddings *out, const char *cache, const pts_cache_entry *entry,
                         pts_encoder *encoder, pts_cache_make make, const void *user,
                         pts_error *err);

/* The masks of a class on the photographs that show it, in their order: its objects filled with 255
 * on 800×800, three equal channels, through preset and encoder as a photograph. `out` as from
 * pts_embeddings_of. */
pts_status pts_mask_embeddings_of(pts_embeddings *out, pts_encoder *encoder, const pts_dataset *set,
                                  int class_id, const pts_embed_options *options, pts_error *err);

#endif
