#include "collect/trainer.h"

#include <stdlib.h>
#include <time.h>

double pts_clock(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

const char *pts_trainer_name(const pts_trainer *trainer)
{
    return trainer->name;
}

const char *pts_trainer_settings(const pts_trainer *trainer)
{
    return trainer->settings;
}

void pts_trainer_destroy(pts_trainer *trainer)
{
    if (!trainer)
        return;
    free(trainer->settings);
    trainer->destroy(trainer);
}
