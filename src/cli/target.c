#include "cli/target.h"

#include "pts/forecast.h"

#include <stdio.h>

void cli_tell_percent(const cli_syntax *syntax, const char *option, const char *text, double target)
{
    fprintf(stderr, "%s: %s %s: taken for percent, %g\n", syntax->command, option, text, target);
}

int cli_target(const cli_syntax *syntax, const char *option, const char *text, double *target)
{
    bool percent;
    pts_error err;
    if (pts_target_read(text, target, &percent, &err) != PTS_OK)
        return cli_wrong(syntax, "%s: %s", option, err.message);
    if (percent)
        cli_tell_percent(syntax, option, text, *target);
    return -1;
}
