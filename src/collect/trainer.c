#include "collect/trainer.h"

#include <stdlib.h>

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
