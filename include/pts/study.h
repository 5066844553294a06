/* pts/study.h: the original study's page. */
#ifndef PTS_STUDY_H
#define PTS_STUDY_H

#include "pts/forecast.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Its page: two encoders, two heads, no interval ---- */

/* Whether the models have what pts_study_forecast needs: an InceptionV3 and a CLIP vision
 * transformer, each with a head of the study's. */
bool pts_study_has_page(const pts_models *models);

/* Mode ptssp: the photographs of `given` through preset ptssp, A and B from the InceptionV3 head's
 * four numbers, C and D from the CLIP head's. On failure *field is "mode" or "images". */
pts_status pts_study_forecast(pts_models *models, const pts_given *given, pts_study_answer *out,
                              const char **field, pts_error *err);

#ifdef __cplusplus
}
#endif

#endif
