/* Numbers as people type them. */
#include "base/error.h"
#include "base/text.h"
#include "pts/forecast.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

pts_status pts_target_read(const char *text, double *target, bool *percent, pts_error *err)
{
    double value;
    *percent = false;
    if (!pts_number_read(text, &value))
        return pts_fail(err, PTS_ERR_ARGUMENT, "expected an mAP between 0 and 1, got '%.100s'",
                        text);
    if (value > 1 && value < 100) {
        value /= 100;
        *percent = true;
    }
    if (!(value > 0 && value < 1))
        return pts_fail(err, PTS_ERR_ARGUMENT,
                        "expected an mAP between 0 and 1, both excluded, got '%.100s'", text);
    *target = value;
    return PTS_OK;
}

pts_status pts_params_read(const char *text, pts_curve *curve, pts_error *err)
{
    double *const values[] = {&curve->A, &curve->B, &curve->C, &curve->D};
    char copy[256];
    if (strlen(text) >= sizeof copy)
        return pts_fail(err, PTS_ERR_ARGUMENT, "expected four numbers, got a long text");
    strcpy(copy, text);
    char *at = copy;
    for (size_t i = 0; i < 4; i++) {
        char *comma = at ? strchr(at, ',') : NULL;
        if (comma)
            *comma = '\0';
        if (!at || !pts_number_read(at, values[i]) || (i == 3 && comma))
            return pts_fail(err, PTS_ERR_ARGUMENT, "expected four numbers A,B,C,D, got '%s'", text);
        at = comma ? comma + 1 : NULL;
    }
    return pts_curve_canonical(curve, err);
}

pts_status pts_question_check(const pts_question *q, const char **field, pts_error *err)
{
    *field = "confidence";
    if (!(q->confidence > 0 && q->confidence < 1))
        return pts_fail(err, PTS_ERR_ARGUMENT, "expected above 0 and below 1, got %g",
                        q->confidence);
    *field = "rounds";
    if (q->rounds < 0 || q->rounds > 20)
        return pts_fail(err, PTS_ERR_ARGUMENT, "expected 1 … 20, got %ld", q->rounds);
    *field = "tau";
    if (!(q->tau >= 0))
        return pts_fail(err, PTS_ERR_ARGUMENT, "expected at least 0, got %g", q->tau);
    *field = "cost_per_image";
    if (!(q->cost >= 0))
        return pts_fail(err, PTS_ERR_ARGUMENT, "expected at least 0, got %g", q->cost);
    *field = NULL;
    return PTS_OK;
}

static pts_status read_at(const char *text, double *at, pts_error *err)
{
    if (!pts_number_read(text, at) || *at < 0)
        return pts_fail(err, PTS_ERR_ARGUMENT,
                        "expected a number of images, at least 0, got '%.100s'", text);
    return PTS_OK;
}

pts_status pts_curve_reply_find(const char *params, const char *target, const char *at,
                                pts_curve_reply *out, bool *percent, const char **field,
                                pts_error *err)
{
    *out = (pts_curve_reply){.has_at = at != NULL};
    *percent = false;
    *field = "params";
    PTS_TRY(pts_params_read(params, &out->curve, err));
    *field = at ? "at" : "target";
    PTS_TRY(at ? read_at(at, &out->at, err) : pts_target_read(target, &out->target, percent, err));
    *field = NULL;
    if (at)
        out->map = pts_curve_at(&out->curve, out->at);
    else
        out->status = pts_curve_size(&out->curve, out->target, &out->n);
    return PTS_OK;
}
