/* The class whose labels answer. */
#include "pts/learn.h"

#include "base/error.h"

#include <stdio.h>
#include <string.h>

enum { NAMED = 8 };

/* Classes in order of appearance, found [NAMED] the first of them; how many, at most one more. */
static size_t find_classes(const pts_dataset *set, const size_t *images, size_t count, int *found)
{
    size_t classes = 0;
    for (size_t i = 0; i < count; i++) {
        size_t instances, known = 0;
        const pts_instance *instance = pts_dataset_instances(set, images[i], &instances);
        for (size_t k = 0; k < instances; k++) {
            for (known = 0; known < classes && found[known] != instance[k].class_id; known++)
                ;
            if (known < classes || instance[k].crowd)
                continue;
            if (classes == NAMED)
                return NAMED + 1;
            found[classes++] = instance[k].class_id;
        }
    }
    return classes;
}

/* Several are refused, not guessed among: the answer would be of a class nobody asked about. */
static pts_status find_only(const pts_dataset *set, const size_t *images, size_t count,
                            int *class_id, pts_error *err)
{
    char names[NAMED * 40] = "";
    int found[NAMED];
    size_t classes = find_classes(set, images, count, found);
    if (classes == 0)
        return pts_fail(err, PTS_ERR_ARGUMENT,
                        "labels: expected objects on the photographs, got none");
    *class_id = found[0];
    if (classes == 1)
        return PTS_OK;
    for (size_t c = 0; c < classes && c < NAMED; c++) {
        size_t used = strlen(names);
        snprintf(names + used, sizeof names - used, "%s%.30s", c ? ", " : "",
                 pts_dataset_class_name(set, found[c]));
    }
    return pts_fail(err, PTS_ERR_ARGUMENT,
                    "labels: expected a class to be named, as the photographs show several: %s%s",
                    names, classes > NAMED ? ", …" : "");
}

pts_status pts_label_sums_pick(const pts_dataset *set, const size_t *images, size_t count,
                               const char *class_name, pts_label_sums *out, int *class_id,
                               pts_error *err)
{
    int id = 0;
    double objects = 0;
    PTS_TRY(class_name ? pts_dataset_find_class(set, class_name, &id, err)
                       : find_only(set, images, count, &id, err));
    for (size_t i = 0; i < count; i++) {
        size_t instances;
        const pts_instance *instance = pts_dataset_instances(set, images[i], &instances);
        pts_label_sums_of(instance, instances, id, &out[i]);
        objects += out[i].objects;
    }
    if (objects < 1)
        return pts_fail(err, PTS_ERR_ARGUMENT,
                        "labels: expected objects of class %.80s on the photographs, got none",
                        pts_dataset_class_name(set, id));
    if (class_id)
        *class_id = id;
    return PTS_OK;
}
