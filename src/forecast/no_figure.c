/* Builds without cairo. */
#include "base/error.h"
#include "pts/forecast.h"

static pts_status no_plot(pts_error *err)
{
    return pts_fail(err, PTS_ERR_UNSUPPORTED, "built without cairo");
}

pts_status pts_answer_plot(const pts_answer *answer, const char *path, pts_error *err)
{
    (void)answer, (void)path;
    return no_plot(err);
}

pts_status pts_answer_svg(const pts_answer *answer, char **svg, size_t *size, pts_error *err)
{
    (void)answer, (void)size;
    *svg = NULL;
    return no_plot(err);
}

pts_status pts_study_answer_plot(const pts_study_answer *answer, const char *path, pts_error *err)
{
    (void)answer, (void)path;
    return no_plot(err);
}

pts_status pts_study_answer_svg(const pts_study_answer *answer, char **svg, size_t *size,
                                pts_error *err)
{
    (void)answer, (void)size;
    *svg = NULL;
    return no_plot(err);
}
