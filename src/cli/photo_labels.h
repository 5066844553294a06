/* The labels of photographs that ptsinfer predict was given. (builds with libyaml) */
#ifndef PTS_CLI_PHOTO_LABELS_H
#define PTS_CLI_PHOTO_LABELS_H

#include "cli/cli.h"
#include "pts/learn.h"

typedef struct cli_photo_labels {
    pts_label_sums *sums; /* [photographs], the caller's array */
    char class_name[80];
    size_t objects, showing; /* of the class; photographs that show it */
} cli_photo_labels;

/* Each photograph's labels among `sources`, at most four: label files of the same name (.txt), or
 * one folder of them (no file: no objects), or one data set (a folder, a COCO .json) with images of
 * the same names. What lies in the photograph's own place comes first, then what has its name;
 * where that leaves a choice, or another photograph has the same, it is refused. class_name as in
 * pts_label_sums_pick. */
pts_status cli_photo_labels_read(cli_photo_labels *out, const cli_list *sources,
                                 const cli_list *photographs, const char *class_name,
                                 pts_error *err);

#endif
