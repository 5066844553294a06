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
#include "pts/metrics.h"

#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Data sets (builds with libyaml: PTS_HAVE_YAML) ----
 *
 * What lies on disk decides the format:
 *
 * YOLO segmentation: DIR/data.yaml gives the classes: `names`, a list or a map from 0 …
 *   classes − 1, and optionally `nc`, which must then agree. Other keys are ignored, the paths of
 *   train, val and test too (Roboflow writes ../train/images), since exports carry paths of the
 *   machine they were made on. Images lie in `images` folders and labels in `labels` folders
 *   beside them: DIR/images, DIR/SPLIT/images and DIR/images/SPLIT, SPLIT one of train, valid,
 *   val, test. The label file of PATH/images/X.jpg is PATH/labels/X.txt; none, or an empty one,
 *   means an image without objects. A line is `class x1 y1 x2 y2 …`: one polygon of at least three
 *   points, in [0, 1] of the width and height. Coordinates up to PTS_DATASET_OVERSHOOT outside are
 *   taken and set to the border (exports in float32 write 1.0000001). Blank lines are skipped.
 * COCO JSON (builds with jansson: PTS_HAVE_JSON; https://cocodataset.org/#format-data): the first
 *   of these that is there, and the folders its images are looked for in:
 *     DIR is a file FOLDER/X.json                  FOLDER, FOLDER/images
 *     DIR[/SPLIT]/_annotations.coco.json           beside it, images beside it (Roboflow)
 *     DIR/annotations/instances_SPLIT.json         DIR/SPLIT, DIR/images/SPLIT, DIR/images, DIR
 *     DIR/annotations/SPLIT.json                   the same
 *   Segmentations are polygons (several make one object), run lengths or compressed run lengths.
 *   Categories become classes 0 … by rising id; one that only groups others (its supercategory is
 *   "none", others name it as theirs, no annotation has it: Roboflow's category 0) is left out.
 *   Annotation files of one set must agree on their categories. `area` and `bbox` are not read.
 *   A file_name is a path inside of those folders: an absolute one or one with `..` is refused.
 *
 * All splits are pooled. Images are .jpg .jpeg .png .bmp, any case; their order is that of the
 * bytes of the path without its extension, whatever the locale. Folders are not searched deeper
 * than said, so a link to a folder above does no harm.
 *
 * Findings. A file that describes the whole set (data.yaml, a JSON file, its categories) is read
 * as a whole or refused: PTS_ERR_FORMAT, _IO, _LIMIT and one line. What hurts one image or one
 * label is a finding: it is reported, left out and counted, or, with `strict`, refused as well.
 *   PTS_FINDING_IMAGE  an image is left out with its labels: it cannot be read (as far as `look`
 *                      looks), is named but not there, named twice, of another size than its
 *                      annotations say, in a folder that cannot be read
 *   PTS_FINDING_LABEL  a label line, annotation or label file is left out: malformed, an unknown
 *                      class or image, an id twice, two points, coordinates outside, no area,
 *                      run lengths that do not fill the image
 *   PTS_FINDING_NOTE   nothing is left out, not even with strict: a class that no image shows, a
 *                      label file without its image, two images with one label file, one name in
 *                      two splits, polygons that cross themselves (looked for unless `look` is
 *                      PTS_LOOK_NAMES)
 *
 * Limits: 2^20 images, 2^16 classes, 2^24 instances, 2^27 points, 64 MiB a label file, 1 MiB
 * data.yaml, 512 MiB a JSON file and 64 of them, 255 bytes a class name, 1024 a file name. */
typedef struct pts_dataset pts_dataset; /* immutable once open: threads may share it */

#define PTS_DATASET_OVERSHOOT 1e-5

/* One labelled object: polygons, a mask, or both. */
typedef struct pts_instance {
    int class_id;
    bool crowd;         /* COCO's iscrowd: a region of many, neither to be learnt nor missed */
    size_t points;      /* of all its polygons; 0: there is only the mask */
    const float *xy;    /* [points][2], in 0 … 1: x to the right, y down, from the top left */
    size_t parts;       /* polygons, the object is their union */
    const size_t *ends; /* [parts]: polygon p has the points from ends[p − 1] (or 0) to ends[p] */
    const pts_rle *mask; /* [height][width] of its image, as pycocotools makes it; NULL in YOLO */
} pts_instance;

/* The object on an image of that size, by COCO's rasteriser; *out is the caller's. A mask of
 * another size is PTS_ERR_SHAPE. */
pts_status pts_instance_mask(pts_rle **out, const pts_instance *instance, size_t height,
                             size_t width, pts_error *err);

typedef enum pts_finding { PTS_FINDING_NOTE, PTS_FINDING_LABEL, PTS_FINDING_IMAGE } pts_finding;
typedef void (*pts_dataset_report)(void *user, pts_finding kind, const char *message);

typedef enum pts_look {
    PTS_LOOK_NAMES = 0, /* images are not opened */
    PTS_LOOK_HEADERS,   /* size and structure (pts_image_probe) */
    PTS_LOOK_PIXELS     /* decoded: whatever training would refuse is found before it begins */
} pts_look;

typedef struct pts_dataset_options {
    bool strict; /* the first finding of a label or image ends the reading: PTS_ERR_FORMAT */
    pts_look look;
    pts_dataset_report report; /* each finding, in a fixed order; NULL: they are only counted */
    void *user;
    pts_team *team; /* looks at images; NULL: the calling thread */
} pts_dataset_options;

/* Strict, PTS_LOOK_NAMES, without a report. */
pts_status pts_dataset_open(pts_dataset **out, const char *dir, pts_error *err);
/* options NULL: all zero. Where nothing is left (no images, no objects) it fails. */
pts_status pts_dataset_read(pts_dataset **out, const char *dir, const pts_dataset_options *options,
                            pts_error *err);
void pts_dataset_close(pts_dataset *set);

/* Label files by themselves, in YOLO's format as above, of photographs that lie elsewhere: a set
 * without splits of `count` images, in that order, whose path is the file's name. Classes are 0 …
 * the largest that occurs, called by their numbers. Strict; files without objects are fine, and so
 * is a set of them. */
typedef struct pts_label_file {
    const char *name, *text;
    size_t size; /* of the text */
} pts_label_file;

pts_status pts_dataset_of_labels(pts_dataset **out, const pts_label_file *files, size_t count,
                                 pts_error *err);

/* Strings and arrays belong to the data set and live until it is closed. */
const char *pts_dataset_dir(const pts_dataset *set);
const char *pts_dataset_name(const pts_dataset *set);   /* the last component, without .json */
const char *pts_dataset_format(const pts_dataset *set); /* "YOLO segmentation", "COCO JSON",
                                                           ", exported by Roboflow …" */
int pts_dataset_classes(const pts_dataset *set);
const char *pts_dataset_class_name(const pts_dataset *set, int class_id); /* NULL out of range */
size_t pts_dataset_images(const pts_dataset *set);
const char *pts_dataset_image_path(const pts_dataset *set, size_t image); /* under dir */
/* "train", "val2017" …; "" in a set without splits. NULL out of range. */
const char *pts_dataset_image_split(const pts_dataset *set, size_t image);
/* From the header where `look` opened it, else from the annotations, else 0 × 0. */
void pts_dataset_image_size(const pts_dataset *set, size_t image, size_t *width, size_t *height);
const pts_instance *pts_dataset_instances(const pts_dataset *set, size_t image, size_t *count);
size_t pts_dataset_skipped_images(const pts_dataset *set);
size_t pts_dataset_skipped_labels(const pts_dataset *set);

/* The images that show a class, rising, *count of them: a crowd alone does not show it. And its
 * instances on all images, crowds among them. */
const size_t *pts_dataset_showing(const pts_dataset *set, int class_id, size_t *count);
size_t pts_dataset_class_instances(const pts_dataset *set, int class_id);
size_t pts_dataset_class_crowds(const pts_dataset *set, int class_id);

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
 *   "piece:P"        multiples of max(1, round(P·n)), P in (0, 1]: the study's pieces, 0.05 there
 *   "2,4,8,all"      these, strictly rising; those above n are left out, `all` is n
 * n = 1 gives 1 alone. PTS_ERR_ARGUMENT for other texts, or where a list leaves nothing. */
pts_status pts_schedule_parse(size_t **out, size_t *count, const char *text, size_t n,
                              pts_error *err);
pts_status pts_schedule_study(size_t **out, size_t *count, size_t n, pts_error *err);

#ifdef __cplusplus
}
#endif

#endif
