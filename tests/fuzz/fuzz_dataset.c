/* Fuzz target: COCO annotations of a data set, beside an image that is not opened.
 *
 *   tests/fuzz/run dataset 600 */
#include "pts/data.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void put(const char *path, const uint8_t *data, size_t size)
{
    FILE *file = fopen(path, "wb");
    if (!file || fwrite(data, 1, size, file) != size || fclose(file) != 0)
        __builtin_trap();
}

static void check_message(void *user, pts_finding kind, const char *message)
{
    (void)user;
    (void)kind;
    if (strpbrk(message, "\r\n"))
        __builtin_trap();
}

/* What is left can be used: every object has a class and a mask of its image's size. */
static void use(const pts_dataset *set)
{
    for (size_t i = 0; i < pts_dataset_images(set); i++) {
        size_t count, width, height;
        const pts_instance *instances = pts_dataset_instances(set, i, &count);
        pts_dataset_image_size(set, i, &width, &height);
        for (size_t k = 0; k < count; k++) {
            const pts_instance *o = &instances[k];
            if (o->class_id < 0 || o->class_id >= pts_dataset_classes(set) ||
                pts_rle_width(o->mask) != width || pts_rle_height(o->mask) != height ||
                pts_rle_area(o->mask) == 0 || (o->parts && o->ends[o->parts - 1] != o->points))
                __builtin_trap();
        }
    }
}

/* Those that the seeds name. */
static const char *const images[] = {"a.jpg",    "0004.jpg", "0061.jpg", "0063.jpg",
                                     "0078.jpg", "0141.jpg", "0142.jpg"};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char folder[64], path[128];
    snprintf(folder, sizeof folder, "/dev/shm/pts_fuzz_%ld.d", (long)getpid());
    mkdir(folder, 0700);
    for (size_t i = 0; i < sizeof images / sizeof *images; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, images[i]);
        put(path, data, 0);
    }
    snprintf(path, sizeof path, "%s/_annotations.coco.json", folder);
    put(path, data, size);
    pts_dataset *set;
    const pts_dataset_options options = {.report = check_message};
    if (pts_dataset_read(&set, folder, &options, NULL) == PTS_OK)
        use(set);
    pts_dataset_close(set);
    return 0;
}
