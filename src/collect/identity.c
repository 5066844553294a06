#include "collect/worklist.h"
#include "base/error.h"
#include "pts/file.h"

#include <stdlib.h>

#define IMAGE_BYTES ((size_t)1 << 29)

static void hash_sizes(pts_sha256 *hash, const uint64_t *sizes, size_t count)
{
    pts_sha256_update(hash, sizes, count * sizeof *sizes);
}

/* Numbers of fixed width go before what varies in length, so that no two sets give one
 * sequence. */
static void hash_instance(pts_sha256 *hash, const pts_instance *instance)
{
    hash_sizes(hash,
               (const uint64_t[]){(uint64_t)instance->class_id, (uint64_t)instance->crowd,
                                  instance->points, instance->parts, instance->mask != NULL},
               5);
    pts_sha256_update(hash, instance->xy, instance->points * 2 * sizeof(float));
    for (size_t p = 0; p < instance->parts; p++)
        hash_sizes(hash, &(const uint64_t){instance->ends[p]}, 1);
    if (instance->mask) {
        size_t runs;
        const uint32_t *counts = pts_rle_counts(instance->mask, &runs);
        pts_sha256_update(hash, counts, runs * sizeof *counts);
    }
}

static pts_status hash_image(pts_sha256 *hash, const pts_dataset *set, size_t image, pts_error *err)
{
    char *data;
    size_t size, count;
    const pts_instance *instances = pts_dataset_instances(set, image, &count);
    PTS_TRY(pts_read_file(pts_dataset_image_path(set, image), IMAGE_BYTES, &data, &size, err));
    hash_sizes(hash, (const uint64_t[]){size, count}, 2);
    pts_sha256_update(hash, data, size);
    free(data);
    for (size_t i = 0; i < count; i++)
        hash_instance(hash, &instances[i]);
    return PTS_OK;
}

pts_status pts_worklist_hash(worklist_set *set, pts_error *err)
{
    pts_sha256 hash;
    pts_sha256_init(&hash);
    for (size_t i = 0; i < pts_dataset_images(set->set); i++)
        PTS_TRY(hash_image(&hash, set->set, i, err));
    pts_sha256_hex(&hash, set->hash);
    return PTS_OK;
}
