/* Builds without jansson. */
#include "base/error.h"
#include "pts/forecast.h"

static pts_status no_json(char **json, pts_error *err)
{
    *json = NULL;
    return pts_fail(err, PTS_ERR_UNSUPPORTED, "built without jansson");
}

pts_status pts_answer_json(const pts_answer *answer, int flags, char **json, pts_error *err)
{
    (void)answer, (void)flags;
    return no_json(json, err);
}

pts_status pts_study_answer_json(const pts_study_answer *answer, char **json, pts_error *err)
{
    (void)answer;
    return no_json(json, err);
}

pts_status pts_curve_reply_json(const pts_curve_reply *reply, char **json, pts_error *err)
{
    (void)reply;
    return no_json(json, err);
}
