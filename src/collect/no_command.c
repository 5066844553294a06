/* A build without jansson cannot read what a program of someone else's has found. */
#include "base/error.h"
#include "pts/collect.h"

pts_status pts_trainer_command(pts_trainer **out, const pts_command_options *options,
                               pts_error *err)
{
    *out = NULL;
    return pts_fail(err, PTS_ERR_UNSUPPORTED, "'%.200s': built without jansson", options->command);
}
