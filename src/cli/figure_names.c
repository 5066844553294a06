#include "cli/figure_names.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

void cli_figure_set(cli_figure *figure, size_t curve, const char *dataset, const char *class_name)
{
    *figure = (cli_figure){.curve = curve};
    snprintf(figure->name, sizeof figure->name, "%s-%s", dataset, class_name);
    for (char *at = figure->name; *at; at++) {
        if (!isalnum((unsigned char)*at) && !strchr("._-", *at))
            *at = '_';
    }
}

static int by_curve(const void *a, const void *b)
{
    const cli_figure *x = a, *y = b;
    return (x->curve > y->curve) - (x->curve < y->curve);
}

/* As a disk sees names that does not tell a from A; then in the file's order. */
static int by_name(const void *a, const void *b)
{
    int order = strcasecmp(((const cli_figure *)a)->name, ((const cli_figure *)b)->name);
    return order ? order : by_curve(a, b);
}

void cli_figures_number(cli_figure *figures, size_t count, const char *second)
{
    const size_t tail = strlen(second);
    qsort(figures, count, sizeof *figures, by_name);
    for (size_t i = 0, first = 0; i < count; i++) {
        const char *name = figures[i].name;
        const size_t length = strlen(name);
        if (strcasecmp(name, figures[first].name) != 0)
            first = i;
        bool taken = length >= tail && strcasecmp(name + length - tail, second) == 0;
        figures[i].number = i > first || taken ? i - first + 1 : 0;
    }
    qsort(figures, count, sizeof *figures, by_curve);
}

bool cli_figure_path(const cli_figure *figure, const char *folder, const char *ending, char *path,
                     size_t size)
{
    char number[24] = "";
    if (figure->number > 0)
        snprintf(number, sizeof number, "~%zu", figure->number);
    int length = snprintf(path, size, "%s/%s%s%s", folder, figure->name, number, ending);
    return length >= 0 && (size_t)length < size;
}
