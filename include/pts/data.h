/* pts/data.h: labelled data sets, their splits and the schedule of training sizes.
 *
 *   pts_dataset *set;
 *   pts_split *split;
 *   size_t *sizes, count;
 *   PTS_TRY(pts_dataset_open(&set, "coins", err));
 *   PTS_TRY(pts_dataset_split(&split, set, 0, NULL, err));
 *   PTS_TRY(pts_schedule_parse(&sizes, &count, "study", split->n_train, err));
 *   for (size_t k = 0; k < count; k++)
 *       ... train on split->train[0 … sizes[k]), measure on split->test ...
 *   free(sizes);
 *   pts_split_destroy(split);
 *   pts_dataset_close(set);
 *
 * Messages name the file and, in a label file, the line: "d/labels/7.txt: line 3: expected …".
 */
#ifndef PTS_DATA_H
#define PTS_DATA_H

#include "pts/base.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Data sets in the YOLO layout (builds with libyaml: PTS_HAVE_YAML) ----
 *
 * DIR/data.yaml gives the classes: `names`, a list or a map from 0 … classes − 1, and optionally
 * `nc`, which must then agree. Other keys are ignored, the paths of train, val and test too: what
 * lies on disk counts, since exports carry paths of the machine they were made on.
 *
 * Images (.jpg .jpeg .png .bmp, any case) lie in `images` folders and labels in `labels` folders
 * beside them: DIR/images, DIR/SPLIT/images and DIR/images/SPLIT, SPLIT one of train, valid, val,
 * test. All that exist are pooled. The order is that of the bytes of the path without its
 * extension, whatever the locale. Images are neither opened nor decoded.
 *
 * The label file of PATH/images/X.jpg is PATH/labels/X.txt; none means an image without objects.
 * A line is `class x1 y1 x2 y2 …`: one polygon of at least three points, in [0, 1] of the width
 * and height. Coordinates up to PTS_DATASET_OVERSHOOT outside are taken and set to the border
 * (exports in float32 write 1.0000001); anything further outside is refused. Blank lines are
 * skipped.
 *
 * Errors, which pts_dataset_open refuses: malformed data.yaml or label lines, no images, no
 * labels at all. Warnings, which it accepts and pts_dataset_inspect reports: a class that no
 * image shows, a label file without its image, two images with one label file. Exports have
 * these often, and they hurt only where such a class is asked for.
 *
 * Limits: 2^20 images, 2^16 classes, 2^24 instances, 2^27 points, 64 MiB a label file, 1 MiB
 * data.yaml, 255 bytes a class name. */
typedef struct pts_dataset pts_dataset; /* immutable once open: threads may share it */

#define PTS_DATASET_OVERSHOOT 1e-5

typedef struct pts_instance {
    int class_id;
    size_t points;
    const float *xy; /* [points][2], normalised: x to the right, y down, from the top left */
} pts_instance;

/* Reads everything; the first error is the message (PTS_ERR_FORMAT, _IO or _LIMIT). */
pts_status pts_dataset_open(pts_dataset **out, const char *dir, pts_error *err);
void pts_dataset_close(pts_dataset *set);

/* The same, but each problem goes to `report` as one line and reading goes on without the
 * offending label line. `is_error` says what pts_dataset_open would refuse. Where nothing useful
 * can be read (no data.yaml, no images, a limit) it fails like pts_dataset_open. */
typedef void (*pts_dataset_report)(void *user, int is_error, const char *message);
pts_status pts_dataset_inspect(pts_dataset **out, const char *dir, pts_dataset_report report,
                               void *user, pts_error *err);

/* Strings and arrays belong to the data set and live until it is closed. */
const char *pts_dataset_dir(const pts_dataset *set);
const char *pts_dataset_name(const pts_dataset *set); /* the folder's last component */
int pts_dataset_classes(const pts_dataset *set);
const char *pts_dataset_class_name(const pts_dataset *set, int class_id); /* NULL out of range */
size_t pts_dataset_images(const pts_dataset *set);
const char *pts_dataset_image_path(const pts_dataset *set, size_t image); /* under dir */
const pts_instance *pts_dataset_instances(const pts_dataset *set, size_t image, size_t *count);

/* The images that show a class, rising, *count of them, and how many instances they hold. */
const size_t *pts_dataset_showing(const pts_dataset *set, int class_id, size_t *count);
size_t pts_dataset_class_instances(const pts_dataset *set, int class_id);

/* A class by its name or, where no class is called so, by its number in decimal. */
pts_status pts_dataset_find_class(const pts_dataset *set, const char *text, int *class_id,
                                  pts_error *err);

/* ---- Splits ----
 *
 * A pool of images is shuffled, `keep` of it is taken (rounded, at least one), and of those n
 * test = round(test·n) and val = round(val·n) go to the two small parts, halves up, at least one
 * where the share is above zero; the rest, at least one (else the larger of the small parts gives
 * way), is for training. Order in the shuffled
 * pool: train, test, val. So the first k of `train` are the training set of size k, and the sets
 * of rising sizes are nested.
 *
 * The shuffle is Fisher–Yates from the end (for i = n − 1 … 1 swap i with j ≤ i) on splitmix64
 * (Steele, Lea, Flood 2014) started at `seed`; j is a draw modulo i + 1, draws in the incomplete
 * last cycle of 2^64 are drawn again. It depends on nothing else, so a seed names a split. */
typedef struct pts_split_options {
    uint64_t seed;
    double train, test, val; /* shares in [0, 1], train > 0, sum 1 */
    double keep;             /* in (0, 1] */
} pts_split_options;

#define PTS_SPLIT_DEFAULTS                                                                         \
    {                                                                                              \
        43, 0.8, 0.1, 0.1, 1.0                                                                     \
    } /* the study's */

typedef struct pts_split {
    size_t n_train, n_test, n_val;
    const size_t *train, *test, *val; /* [n_…]: elements of the pool */
} pts_split;

/* options NULL: the defaults. PTS_ERR_SHAPE where the kept pool is smaller than the number of
 * parts with a share, PTS_ERR_ARGUMENT for shares that are none. */
pts_status pts_split_make(pts_split **out, const size_t *pool /* [count] */, size_t count,
                          const pts_split_options *options, pts_error *err);
void pts_split_destroy(pts_split *split);

/* The split of the images that show a class (builds with libyaml); the message names the class.
 * PTS_ERR_SHAPE where no image, or too few, show it. */
pts_status pts_dataset_split(pts_split **out, const pts_dataset *set, int class_id,
                             const pts_split_options *options, pts_error *err);

/* ---- The schedule of training sizes ----
 *
 * Rising sizes up to n training images (1 … 2^30), in *out (release with free()), *count of them.
 *   "study"          from 2; step 2 below 10, 3 below 30, 5 below 100, 10 below 200, 50 below 300,
 *                    100 below 500, 500 from there; n itself is always the last
 *   "geometric[:K]"  K (8) sizes 2·(n/2)^(i/(K−1)), rounded, each at least one above the one
 *                    before; only n − 1 where K is more than that
 *   "2,4,8,all"      these, strictly rising; those above n are left out, `all` is n
 * n = 1 gives 1 alone. PTS_ERR_ARGUMENT for other texts, or where a list leaves nothing. */
pts_status pts_schedule_parse(size_t **out, size_t *count, const char *text, size_t n,
                              pts_error *err);
pts_status pts_schedule_study(size_t **out, size_t *count, size_t n, pts_error *err);

#ifdef __cplusplus
}
#endif

#endif
