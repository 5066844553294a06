/* An object as one polygon, which is all that a YOLO label can say. */
#ifndef PTS_SRC_COLLECT_OUTLINE_H
#define PTS_SRC_COLLECT_OUTLINE_H

#include "pts/data.h"

typedef struct outline {
    float *xy; /* [points][2], in 0 … 1 of width and height; malloc */
    size_t points;
} outline;

/* The instance on an image of that size. Parts and holes are tied together by bridges without area,
 * there and back between their nearest points (as Ultralytics' own converter of COCO does with
 * parts), so that filling by the even-odd rule gives the object. Where the instance has no
 * polygons, its mask's borders are followed along the edges of pixels; of them, the OUTLINE_BORDERS
 * that enclose most. points 0: the mask is empty. */
enum { OUTLINE_BORDERS = 64 };
pts_status pts_outline_make(outline *out, const pts_instance *instance, size_t height, size_t width,
                            pts_error *err);
void pts_outline_free(outline *o);

#endif
