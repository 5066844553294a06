#define _XOPEN_SOURCE 700 /* realpath */
#include "collect/job_folder.h"
#include "base/error.h"
#include "base/text.h"
#include "collect/outline.h"
#include "pts/file.h"
#include "pts/image.h"

#include <errno.h>
#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *const part_names[JOB_PARTS] = {"train", "val", "test"};
const char *const pts_job_truth_names[JOB_PARTS] = {"train.json", "val.json", "test.json"};
const char *const pts_job_result_names[JOB_PARTS] = {NULL, "val_results.json", "test_results.json"};

typedef struct job {
    const train_request *request;
    const char *folder;
    json_t *images, *annotations; /* of the part being written */
    pts_error *err;
} job;

char *pts_job_path(const char *folder, const char *name)
{
    char *path;
    pts_text(&path, NULL, "%s/%s", folder, name);
    return path;
}

static image_list part_of(const train_request *r, int part)
{
    return part == JOB_TRAIN ? r->train : part == JOB_VAL ? r->validation : r->test;
}

/* ---- folders ---- */

static pts_status make_folder(const char *path, pts_error *err)
{
    if (mkdir(path, 0777) == 0 || errno == EEXIST)
        return PTS_OK;
    return pts_fail(err, PTS_ERR_IO, "%s: %s", path, strerror(errno));
}

static pts_status make_subfolder(const char *folder, const char *name, pts_error *err)
{
    char *path = pts_job_path(folder, name);
    if (!path)
        return pts_fail_memory(err, strlen(folder));
    pts_status status = make_folder(path, err);
    free(path);
    return status;
}

/* A name of the request's own, with a number where that is taken: what an earlier try left stays
 * to be looked at. */
static pts_status make_job_folder(char path[PATH_MAX], const char *parent, const train_request *r,
                                  pts_error *err)
{
    char name[80];
    snprintf(name, sizeof name, "%.40s", pts_dataset_name(r->set));
    for (char *c = name; *c; c++) {
        if (*c == '/' || (unsigned char)*c <= ' ' || *c == '\'' || *c == '"')
            *c = '_';
    }
    for (int again = 0; again < 100000; again++) {
        char suffix[16] = "";
        if (again)
            snprintf(suffix, sizeof suffix, "-%d", again + 1);
        int length = snprintf(path, PATH_MAX, "%s/%s-class%d-seed%llu-n%zu%s", parent, name,
                              r->class_id, (unsigned long long)r->seed, r->n, suffix);
        if (length < 0 || length >= PATH_MAX)
            return pts_fail(err, PTS_ERR_LIMIT, "%s: name too long", parent);
        if (mkdir(path, 0777) == 0)
            return PTS_OK;
        if (errno != EEXIST)
            return pts_fail(err, PTS_ERR_IO, "%s: %s", path, strerror(errno));
    }
    return pts_fail(err, PTS_ERR_LIMIT, "%s: too many folders of one job", parent);
}

/* ---- images and labels ---- */

/* images/PART/000012.jpg → the photograph. */
static pts_status link_image(const job *j, size_t image, const char *link)
{
    char *target = realpath(pts_dataset_image_path(j->request->set, image), NULL);
    char *path = pts_job_path(j->folder, link);
    pts_status status = PTS_OK;
    if (!target || !path || symlink(target, path) != 0)
        status = pts_fail(j->err, PTS_ERR_IO, "%s/%s: %s", j->folder, link, strerror(errno));
    free(target);
    free(path);
    return status;
}

/* What is said of an image: its index in the data set, number in the part, and size. */
typedef struct picture {
    size_t image, id, width, height;
} picture;

static pts_status write_object(const job *j, FILE *file, const picture *p,
                               const pts_instance *instance)
{
    outline o;
    PTS_TRY(pts_outline_make(&o, instance, p->height, p->width, j->err));
    if (o.points)
        fputc('0', file);
    for (size_t k = 0; k < 2 * o.points; k++)
        fprintf(file, " %.7g", (double)o.xy[k]);
    if (o.points)
        fputc('\n', file);
    pts_outline_free(&o);
    return PTS_OK;
}

static pts_status write_objects(const job *j, FILE *file, const picture *p)
{
    size_t count;
    const pts_instance *instances = pts_dataset_instances(j->request->set, p->image, &count);
    for (size_t i = 0; i < count; i++) {
        if (instances[i].class_id == j->request->class_id && !instances[i].crowd)
            PTS_TRY(write_object(j, file, p, &instances[i]));
    }
    return PTS_OK;
}

/* YOLO: a line an object, the class always 0. Crowds have no place in it. */
static pts_status write_labels(const job *j, const picture *p, const char *name)
{
    char *path = pts_job_path(j->folder, name);
    FILE *file = path ? fopen(path, "w") : NULL;
    free(path);
    if (!file)
        return pts_fail(j->err, PTS_ERR_IO, "%s/%s: %s", j->folder, name, strerror(errno));
    pts_status status = write_objects(j, file, p);
    int failed = ferror(file);
    if ((fclose(file) != 0 || failed) && status == PTS_OK)
        return pts_fail(j->err, PTS_ERR_IO, "%s/%s: %s", j->folder, name, strerror(errno));
    return status;
}

/* The object's mask in COCO's words. */
static pts_status add_annotation(const job *j, const pts_instance *instance, const picture *p)
{
    pts_rle *mask;
    char *counts;
    double box[4];
    PTS_TRY(pts_instance_mask(&mask, instance, p->height, p->width, j->err));
    pts_status status = pts_rle_to_string(mask, &counts, j->err);
    pts_rle_box(mask, box);
    size_t area = pts_rle_area(mask);
    pts_rle_destroy(mask);
    PTS_TRY(status);
    json_t *annotation =
        json_pack("{s:I, s:I, s:i, s:{s:[I,I], s:s}, s:[f,f,f,f], s:I, s:i}", "id",
                  (json_int_t)json_array_size(j->annotations) + 1, "image_id", (json_int_t)p->id,
                  "category_id", 1, "segmentation", "size", (json_int_t)p->height,
                  (json_int_t)p->width, "counts", counts, "bbox", box[0], box[1], box[2], box[3],
                  "area", (json_int_t)area, "iscrowd", instance->crowd);
    free(counts);
    if (json_array_append_new(j->annotations, annotation) != 0)
        return pts_fail_memory(j->err, 1);
    return PTS_OK;
}

static pts_status add_image(const job *j, const picture *p, const char *name)
{
    size_t count;
    json_t *object = json_pack("{s:I, s:s, s:I, s:I}", "id", (json_int_t)p->id, "file_name", name,
                               "width", (json_int_t)p->width, "height", (json_int_t)p->height);
    if (json_array_append_new(j->images, object) != 0)
        return pts_fail_memory(j->err, 1);
    const pts_instance *instances = pts_dataset_instances(j->request->set, p->image, &count);
    for (size_t i = 0; i < count; i++) {
        if (instances[i].class_id == j->request->class_id)
            PTS_TRY(add_annotation(j, &instances[i], p));
    }
    return PTS_OK;
}

/* Numbers for names: a data set may have one name in several folders. */
static pts_status write_image(const job *j, int part, size_t image, size_t id)
{
    char link[64], labels[64];
    const pts_dataset *set = j->request->set;
    const char *path = pts_dataset_image_path(set, image), *dot = strrchr(path, '.');
    picture p = {.image = image, .id = id};
    pts_dataset_image_size(set, image, &p.width, &p.height);
    if (!p.width)
        PTS_TRY(pts_image_probe(path, NULL, &p.width, &p.height, j->err));
    snprintf(link, sizeof link, "images/%s/%06zu%.8s", part_names[part], id, dot ? dot : "");
    snprintf(labels, sizeof labels, "labels/%s/%06zu.txt", part_names[part], id);
    PTS_TRY(link_image(j, image, link));
    PTS_TRY(write_labels(j, &p, labels));
    return add_image(j, &p, link);
}

/* ---- JSON ---- */

/* Takes `value`, which may be NULL: out of memory. */
static pts_status write_json(const job *j, const char *name, json_t *value)
{
    char *path = pts_job_path(j->folder, name);
    pts_output out;
    pts_status status =
        path && value ? pts_output_open(&out, path, j->err) : pts_fail_memory(j->err, 1);
    if (status == PTS_OK && json_dumpf(value, out.file, JSON_INDENT(1)) != 0) {
        pts_output_discard(&out);
        status = pts_fail(j->err, PTS_ERR_IO, "%s: cannot be written", path);
    } else if (status == PTS_OK) {
        status = pts_output_commit(&out, j->err);
    }
    json_decref(value);
    free(path);
    return status;
}

/* Folders first, as images and labels are written in turn. */
static pts_status fill_part(job *j, int part)
{
    const image_list list = part_of(j->request, part);
    char folder[32];
    snprintf(folder, sizeof folder, "images/%s", part_names[part]);
    PTS_TRY(make_subfolder(j->folder, folder, j->err));
    snprintf(folder, sizeof folder, "labels/%s", part_names[part]);
    PTS_TRY(make_subfolder(j->folder, folder, j->err));
    for (size_t i = 0; i < list.count; i++)
        PTS_TRY(write_image(j, part, list.images[i], i + 1));
    return PTS_OK;
}

static pts_status write_part(job *j, int part)
{
    const char *name = pts_dataset_class_name(j->request->set, j->request->class_id);
    j->images = json_array();
    j->annotations = json_array();
    pts_status status =
        j->images && j->annotations ? fill_part(j, part) : pts_fail_memory(j->err, 1);
    if (status == PTS_OK)
        return write_json(j, pts_job_truth_names[part],
                          json_pack("{s:o, s:[{s:i, s:s}], s:o}", "images", j->images, "categories",
                                    "id", 1, "name", name, "annotations", j->annotations));
    json_decref(j->images);
    json_decref(j->annotations);
    return status;
}

static pts_status write_job(const job *j, const char *start, double time_limit)
{
    const train_request *r = j->request;
    return write_json(
        j, "job.json",
        json_pack("{s:i, s:s, s:i, s:s, s:I, s:I, s:I, s:s?, s:f, s:s, s:{s:s,s:s,s:s}, "
                  "s:{s:s,s:s}, s:s}",
                  "version", JOB_VERSION, "dataset", pts_dataset_name(r->set), "class_id",
                  r->class_id, "class", pts_dataset_class_name(r->set, r->class_id), "seed",
                  (json_int_t)r->seed, "n", (json_int_t)r->n, "train_images",
                  (json_int_t)r->train.count, "start", start, "time_limit", time_limit, "data",
                  "data.yaml", "truth", "train", pts_job_truth_names[JOB_TRAIN], "val",
                  pts_job_truth_names[JOB_VAL], "test", pts_job_truth_names[JOB_TEST], "results",
                  "val", pts_job_result_names[JOB_VAL], "test", pts_job_result_names[JOB_TEST],
                  "weights", "weights"));
}

/* JSON is YAML, so names need no quoting rules of another kind. */
static pts_status write_data_yaml(const job *j)
{
    return write_json(j, "data.yaml",
                      json_pack("{s:s, s:s, s:s, s:s, s:i, s:[s]}", "path", j->folder, "train",
                                "images/train", "val", "images/val", "test", "images/test", "nc", 1,
                                "names",
                                pts_dataset_class_name(j->request->set, j->request->class_id)));
}

static pts_status fill_folder(job *j, const char *start, double time_limit)
{
    PTS_TRY(make_subfolder(j->folder, "images", j->err));
    PTS_TRY(make_subfolder(j->folder, "labels", j->err));
    for (int part = 0; part < JOB_PARTS; part++)
        PTS_TRY(write_part(j, part));
    PTS_TRY(write_data_yaml(j));
    return write_job(j, start, time_limit);
}

pts_status pts_job_folder_make(char **path, const char *parent, const train_request *request,
                               const char *start, double time_limit, pts_error *err)
{
    char relative[PATH_MAX];
    *path = NULL;
    PTS_TRY(make_folder(parent, err));
    PTS_TRY(make_job_folder(relative, parent, request, err));
    char *folder = realpath(relative, NULL);
    if (!folder)
        return pts_fail(err, PTS_ERR_IO, "%s: %s", relative, strerror(errno));
    job j = {.request = request, .folder = folder, .err = err};
    pts_status status = fill_folder(&j, start, time_limit);
    if (status != PTS_OK) {
        free(folder);
        return status;
    }
    *path = folder;
    return PTS_OK;
}
