/* Architectures: what a checkpoint is, and how its tensors become those of a .ptsw file.
 *
 *   recipe r;
 *   const architecture *a;
 *   PTS_TRY(architecture_find(&c, "auto", &a, why, err));
 *   PTS_TRY(recipe_build(&r, &c, a, &settings, err));      // every tensor named, none read
 *   PTS_TRY(recipe_tensor(&r, i, values, err));            // one tensor's numbers
 *   recipe_free(&r);
 *
 *   arch.c                finds the architecture; the recipe; tensors moved as they are or turned
 *   inception_v3.c        from torchvision, Keras and TensorFlow.js; batch norm folded
 *   inception_v3_graph.c  matches a TensorFlow.js graph with the architecture
 *   clip_vit.c            CLIP's image tower, from Hugging Face's, open_clip's and OpenAI's names
 *   study_head.c          the study's two heads */
#ifndef PTS_TOOLS_ARCH_H
#define PTS_TOOLS_ARCH_H

#include "checkpoint.h"

/* What the command line says, beyond the file. */
typedef struct settings {
    const char *activation; /* "quick_gelu", "gelu" or NULL: as the file or its config.json says */
    long heads;             /* 0: likewise */
    bool raw_input;         /* the first convolution as it lies, no input transform folded in */
    const char *encoder;    /* study head: 64 digits of the encoder's source, or NULL */
    const char *source, *licence; /* to be recorded, or NULL */
} settings;

typedef struct recipe recipe;
typedef struct recipe_item recipe_item;

#define RECIPE_SOURCES 5

/* What the network takes is scale·x + shift of what the preset makes, by channel. */
typedef struct input_transform {
    double scale[3], shift[3];
} input_transform;

struct recipe_item {
    char name[PTS_TENSOR_NAME_MAX + 1];
    int rank;
    size_t shape[PTS_TENSOR_RANK_MAX];
    size_t count;
    pts_status (*make)(const recipe *r, const recipe_item *item, float *out, pts_error *err);
    const checkpoint_tensor *source[RECIPE_SOURCES];
    size_t sources;
    /* inception_v3 only: */
    double epsilon;                   /* of the batch norm */
    bool turned;                      /* kernels are [cout][cin][kh][kw] */
    const input_transform *transform; /* of the first convolution, or NULL */
};

struct recipe {
    checkpoint *c;
    const settings *set;
    recipe_item *items;
    size_t count, capacity;
    pts_meta meta[24];
    size_t meta_count;
};

typedef struct architecture {
    const char *name;
    /* From names alone; true: `why` says what was seen. */
    bool (*recognise)(const checkpoint *c, char why[256]);
    /* Requires every tensor, adds what is made of them to the recipe, refuses those left over. */
    pts_status (*build)(recipe *r, pts_error *err);
} architecture;

/* `name`: one of architecture_names, or "auto". */
pts_status architecture_find(const checkpoint *c, const char *name, const architecture **out,
                             char why[256], pts_error *err);
bool architecture_known(const char *name);
#define ARCHITECTURE_NAMES "inception_v3, clip_vit or head"

pts_status recipe_build(recipe *out, checkpoint *c, const architecture *a, const settings *set,
                        pts_error *err);
void recipe_free(recipe *r);
/* Numbers of item `index` → out [count]. */
pts_status recipe_tensor(const recipe *r, size_t index, float *out, pts_error *err);

/* ---- for the architectures ---- */

pts_status recipe_add(recipe *r, recipe_item **out, int rank, const size_t *shape, pts_error *err,
                      const char *name, ...) __attribute__((format(printf, 6, 7)));
pts_status recipe_meta(recipe *r, const char *key, const char *value, pts_error *err);
pts_status recipe_meta_number(recipe *r, const char *key, size_t value, pts_error *err);
/* A tensor made of one of the checkpoint's, which must have shape `from`; turned: make_turned. */
pts_status recipe_take(recipe *r, const char *to, int rank, const size_t *shape, bool turned,
                       const char *name, const size_t *from, pts_error *err);
/* "expected no such tensor in WHAT". */
pts_status recipe_leftover(const recipe *r, const checkpoint_tensor *t, const char *what,
                           pts_error *err);
/* source[0] as it is. */
pts_status make_copy(const recipe *r, const recipe_item *item, float *out, pts_error *err);
/* Sources [out][in] or [out][in][kh][kw], side by side along `out` → [in][Σ out] or
 * [kh][kw][in][Σ out]; vectors one after another. */
pts_status make_turned(const recipe *r, const recipe_item *item, float *out, pts_error *err);

enum { PREFIX_MAX = 128 };

/* What the first name that ends in `end` has in front of it: state dicts are often wrapped
 * ("state_dict.", "module."). false: there is none, prefix is "". */
bool name_prefix(const checkpoint *c, const char *end, char prefix[PREFIX_MAX]);
bool name_ends(const char *name, const char *end);
bool name_starts(const char *name, const char *start);

extern const architecture inception_v3_architecture, clip_vit_architecture, study_head_architecture;

/* ---- inception_v3_graph.c ---- */

enum { INCEPTION_V3_UNITS = 94 };

/* One convolution with its batch norm. */
typedef struct inception_v3_unit {
    const char *name; /* torchvision's */
    size_t shape[4];  /* [kh][kw][cin][cout] */
} inception_v3_unit;

extern const inception_v3_unit inception_v3_units[INCEPTION_V3_UNITS]; /* in inception_v3.c */

/* A unit as the topology has it. */
typedef struct graph_unit {
    const char *conv, *norm; /* layer names in the topology */
    double epsilon;
    bool scale, center; /* whether gamma and beta exist */
} graph_unit;

/* PTS_OK when the graph is InceptionV3; the message says where it is not. *top: the names of the
 * layers behind the pool, the caller releases it. */
pts_status inception_v3_graph(const tfjs_model *model, graph_unit units[INCEPTION_V3_UNITS],
                              json_t **top, pts_error *err);

#endif
