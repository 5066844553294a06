/* COCO data sets: the annotations, image by image. */
#include "base/error.h"
#include "base/memory.h"
#include "data/coco.h"
#include "metrics/segmentation.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* One annotation whose image is there. */
typedef struct place {
    size_t image, file, index;
} place;

typedef struct place_list {
    place *places;
    size_t count, room;
} place_list;

static int by_image(const void *a, const void *b)
{
    const place *x = a, *y = b;
    if (x->image != y->image)
        return x->image < y->image ? -1 : 1;
    if (x->file != y->file)
        return x->file < y->file ? -1 : 1;
    return (x->index > y->index) - (x->index < y->index);
}

static pts_status find_place(coco_reading *c, size_t f, pts_ids *seen, size_t index,
                             place_list *list)
{
    const coco_file *file = &c->files[f];
    const json_t *entry = json_array_get(json_object_get(file->root, "annotations"), index);
    int64_t id, image;
    pts_error why;
    if (pts_dataset_coco_integer(entry, "id", &id) && pts_ids_add(seen, id, "id", &why) != PTS_OK)
        return pts_dataset_coco_finding(c, PTS_FINDING_LABEL, f, "annotations", index, "%s",
                                        why.message);
    if (!pts_dataset_coco_integer(entry, "image_id", &image))
        return pts_dataset_coco_finding(c, PTS_FINDING_LABEL, f, "annotations", index,
                                        "image_id: expected an integer, got %s",
                                        pts_coco_json_kind(json_object_get(entry, "image_id")));
    size_t order = pts_ids_find(&file->images, image);
    if (order == PTS_NO_INDEX)
        return pts_dataset_coco_finding(c, PTS_FINDING_LABEL, f, "annotations", index,
                                        "image_id: expected one of the %zu images, got %lld",
                                        file->images.count, (long long)image);
    size_t at = file->image_of[order];
    if (at == SIZE_MAX || c->reading->set->images[at].skipped)
        return PTS_OK;
    PTS_TRY(pts_grow(&list->places, &list->room, list->count + 1, sizeof *list->places,
                     c->reading->err));
    list->places[list->count++] = (place){at, f, index};
    return PTS_OK;
}

static pts_status find_places(coco_reading *c, place_list *list)
{
    for (size_t f = 0; f < c->n_files; f++) {
        const json_t *entries;
        pts_ids seen = {0};
        PTS_TRY(pts_dataset_coco_list(c, f, "annotations", &entries));
        pts_status status = PTS_OK;
        for (size_t i = 0; i < json_array_size(entries) && status == PTS_OK; i++)
            status = find_place(c, f, &seen, i, list);
        pts_ids_free(&seen);
        PTS_TRY(status);
    }
    if (list->count)
        qsort(list->places, list->count, sizeof *list->places, by_image);
    return PTS_OK;
}

/* ---- one annotation ---- */

static bool get_crowd(const json_t *entry, bool *crowd)
{
    const json_t *value = json_object_get(entry, "iscrowd");
    *crowd = json_is_true(value) || json_integer_value(value) == 1;
    return !value || json_is_boolean(value) ||
           (json_is_integer(value) && (json_integer_value(value) | 1) == 1);
}

/* The polygons beside the mask, which has read them once already. */
static pts_status add_polygons(coco_reading *c, const place *p, const json_t *parts,
                               pts_instance *instance)
{
    dataset_reading *r = c->reading;
    pts_dataset *set = r->set;
    const dataset_image *image = &set->images[p->image];
    size_t first = set->n_xy;
    for (size_t i = 0; i < json_array_size(parts); i++) {
        size_t begin = set->n_xy, count;
        double *xy;
        PTS_TRY(pts_coco_segmentation_polygon(&xy, &count, parts, i, c->reading->err));
        pts_status status = PTS_OK;
        for (size_t k = 0; k < count && status == PTS_OK; k++)
            status = pts_dataset_add_coordinate(
                set, xy[k] / (double)(k % 2 ? image->height : image->width), c->reading->err);
        free(xy);
        PTS_TRY(status);
        if (pts_dataset_is_first_crossing(r, set->xy + begin, count / 2))
            snprintf(r->first_crossing.message, sizeof r->first_crossing.message,
                     "%.400s: annotations[%zu]", c->files[p->file].path, p->index);
        PTS_TRY(pts_dataset_add_end(set, first, c->reading->err));
    }
    instance->parts = json_array_size(parts);
    instance->points = (set->n_xy - first) / 2;
    return PTS_OK;
}

static pts_status add_annotation(coco_reading *c, const place *p, const json_t *segmentation,
                                 pts_instance *instance)
{
    if (json_is_array(segmentation))
        PTS_TRY(add_polygons(c, p, segmentation, instance));
    return pts_dataset_add_instance(c->reading->set, instance, c->reading->err);
}

static pts_status read_mask(coco_reading *c, const place *p, const json_t *segmentation,
                            pts_rle **mask)
{
    const dataset_image *image = &c->reading->set->images[p->image];
    pts_error why;
    pts_status status =
        pts_coco_segmentation_mask(mask, segmentation, image->height, image->width, &why);
    if (status == PTS_ERR_MEMORY)
        return pts_fail(c->reading->err, status, "%s", why.message);
    if (status == PTS_OK && pts_rle_area(*mask) > 0)
        return PTS_OK;
    if (status == PTS_OK)
        snprintf(why.message, sizeof why.message,
                 "segmentation: expected an area inside of the image, got none");
    pts_rle_destroy(*mask);
    *mask = NULL;
    return pts_dataset_coco_finding(c, PTS_FINDING_LABEL, p->file, "annotations", p->index, "%s",
                                    why.message);
}

static pts_status read_annotation(coco_reading *c, const place *p)
{
    const json_t *entry =
        json_array_get(json_object_get(c->files[p->file].root, "annotations"), p->index);
    const json_t *segmentation = json_object_get(entry, "segmentation");
    pts_instance instance = {0};
    int64_t category;
    if (!pts_dataset_coco_integer(entry, "category_id", &category))
        return pts_dataset_coco_finding(c, PTS_FINDING_LABEL, p->file, "annotations", p->index,
                                        "category_id: expected an integer, got %s",
                                        pts_coco_json_kind(json_object_get(entry, "category_id")));
    instance.class_id = pts_dataset_coco_class(c, category);
    if (instance.class_id < 0)
        return pts_dataset_coco_finding(c, PTS_FINDING_LABEL, p->file, "annotations", p->index,
                                        "category_id: expected one of the %zu categories, got %lld",
                                        c->n_categories, (long long)category);
    if (!get_crowd(entry, &instance.crowd))
        return pts_dataset_coco_finding(c, PTS_FINDING_LABEL, p->file, "annotations", p->index,
                                        "iscrowd: expected 0 or 1, got %s",
                                        pts_coco_json_kind(json_object_get(entry, "iscrowd")));
    pts_rle *mask;
    PTS_TRY(read_mask(c, p, segmentation, &mask));
    if (!mask)
        return PTS_OK;
    instance.mask = mask;
    pts_status status = add_annotation(c, p, segmentation, &instance);
    if (status != PTS_OK)
        pts_rle_destroy(mask);
    return status;
}

pts_status pts_dataset_coco_read_annotations(coco_reading *c)
{
    pts_dataset *set = c->reading->set;
    place_list list = {0};
    pts_status status = find_places(c, &list);
    for (size_t i = 0; i < list.count && status == PTS_OK; i++) {
        dataset_image *image = &set->images[list.places[i].image];
        if (i == 0 || list.places[i].image != list.places[i - 1].image)
            image->first = set->n_instances;
        status = read_annotation(c, &list.places[i]);
        image->count = set->n_instances - image->first;
    }
    free(list.places);
    return status;
}
