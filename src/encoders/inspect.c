/* An encoder looked into, by tests and benchmarks. */
#include "base/error.h"
#include "encoders/encoder.h"

#include <string.h>

double pts_encoder_flops(const pts_encoder *encoder)
{
    return encoder->info.flops;
}

pts_status pts_encoder_profile(pts_encoder *encoder, const float *image, pts_step_visitor visit,
                               void *user, pts_error *err)
{
    const size_t side = encoder->info.input;
    pts_arch_run run = {.images = image, .count = 1, .height = side, .width = side};
    run.out = encoder->embedding;
    run.visit_step = visit;
    run.user = user;
    return encoder->arch->run(encoder->together, &run, err);
}

pts_status pts_encoder_taps(pts_encoder *encoder, const float *image, size_t height, size_t width,
                            const char *last, pts_tap_visitor visit, void *user, pts_error *err)
{
    pts_arch_run run = {.images = image, .count = 1, .height = height, .width = width};
    run.out = encoder->embedding;
    run.last = last;
    run.visit = visit;
    run.user = user;
    PTS_TRY(encoder->arch->run(encoder->together, &run, err));
    if (run.stopped)
        return PTS_OK;
    if (last && strcmp(last, "embedding") != 0)
        return pts_fail(err, PTS_ERR_ARGUMENT, "tap: the network has none named '%s'", last);
    visit(user, "embedding", encoder->embedding, 1, 1, encoder->info.dim);
    return PTS_OK;
}
