/* Fuzz target of COCO's files: the input is a ground truth, a byte 1, and results; both kinds of
 * overlap are evaluated by both definitions. What is taken must be JSON as a whole, although it is
 * read in pieces.
 *
 *   tests/fuzz/run coco 600 */
#include "pts/metrics.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void put(const char *path, const uint8_t *data, size_t size)
{
    FILE *file = fopen(path, "wb");
    if (!file || fwrite(data, 1, size, file) != size || fclose(file) != 0)
        __builtin_trap();
}

static void want_json(const uint8_t *data, size_t size)
{
    json_t *root = json_loadb((const char *)data, size, JSON_REJECT_DUPLICATES, NULL);
    if (!root)
        __builtin_trap();
    json_decref(root);
}

static int evaluate(const char *truth, const char *results, pts_iou_kind iou)
{
    pts_coco *coco;
    pts_coco_figures figures;
    pts_ap map;
    pts_error err = {""};
    pts_status status = pts_coco_load(&coco, truth, results, iou, NULL, &err);
    if (status == PTS_OK &&
        (pts_coco_evaluate(coco, NULL, NULL, &figures, NULL, &err) != PTS_OK ||
         pts_coco_evaluate_ultralytics(coco, PTS_AP_ULTRALYTICS_2026, &map, NULL, &err) != PTS_OK))
        __builtin_trap();
    if (status != PTS_OK && (!err.message[0] || strchr(err.message, '\n')))
        __builtin_trap();
    pts_coco_destroy(coco);
    return status == PTS_OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char truth[64], results[64];
    const uint8_t *mark = memchr(data, 1, size);
    if (!mark)
        return -1;
    size_t first = (size_t)(mark - data), second = size - first - 1;
    snprintf(truth, sizeof truth, "/dev/shm/pts_fuzz_%ld.gt", (long)getpid());
    snprintf(results, sizeof results, "/dev/shm/pts_fuzz_%ld.r", (long)getpid());
    put(truth, data, first);
    put(results, mark + 1, second);
    for (int iou = PTS_IOU_MASK; iou <= PTS_IOU_BOX; iou++) {
        if (!evaluate(truth, results, (pts_iou_kind)iou))
            continue;
        want_json(data, first);
        want_json(mark + 1, second);
    }
    return 0;
}
