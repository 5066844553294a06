#include "cli/target.h"

#include <stdio.h>

int cli_target(const cli_syntax *syntax, const char *option, const char *text, double *target)
{
    double value;
    if (!cli_number(text, &value))
        return cli_wrong(syntax, "%s: expected an mAP between 0 and 1, got '%s'", option, text);
    if (value > 1 && value < 100) {
        *target = value / 100;
        fprintf(stderr, "%s: %s %s: taken for percent, %g\n", syntax->command, option, text,
                *target);
        return -1;
    }
    if (!(value > 0 && value < 1))
        return cli_wrong(syntax, "%s: expected an mAP between 0 and 1, both excluded, got '%s'",
                         option, text);
    *target = value;
    return -1;
}
