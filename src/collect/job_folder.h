/* What a trainer that is a program of its own finds: the job's folder. */
#ifndef PTS_SRC_COLLECT_JOB_FOLDER_H
#define PTS_SRC_COLLECT_JOB_FOLDER_H

#include "collect/trainer.h"

/* Rises with every change that a trainer could notice. */
enum { JOB_VERSION = 2 };

enum job_part { JOB_TRAIN, JOB_VAL, JOB_TEST, JOB_PARTS };

/* Makes a folder of its own in `parent` (which is made, too) and fills it; *path is its absolute
 * path, malloc. start: the weights to go on from, or NULL. */
pts_status pts_job_folder_make(char **path, const char *parent, const train_request *request,
                               const char *start, double time_limit, pts_error *err);

/* FOLDER/NAME, malloc; NULL without memory. */
char *pts_job_path(const char *folder, const char *name);

/* Names in the folder: COCO ground truth, and the results wanted back (train: NULL). */
extern const char *const pts_job_truth_names[JOB_PARTS];
extern const char *const pts_job_result_names[JOB_PARTS];

#endif
