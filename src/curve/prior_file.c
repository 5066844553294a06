/* Reading priors from their text files: pts/curve.h. */
#include "pts/curve.h"
#include "pts/file.h"
#include "base/error.h"
#include "base/text.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FILE_BYTES = 1 << 16 };

typedef struct reader {
    const char *path;
    char *at;
    size_t line;
} reader;

/* The next line, which must be `name` and then something. */
static pts_status next_line(reader *in, const char *name, char **value, pts_error *err)
{
    char *line = in->at;
    size_t length = strlen(name), end = strcspn(line, "\n");
    in->line++;
    in->at = line + end + (line[end] == '\n');
    line[end] = '\0';
    if (strncmp(line, name, length) != 0 || line[length] != ' ')
        return pts_fail(err, PTS_ERR_FORMAT, "%s: line %zu: expected '%s …', got '%.40s'", in->path,
                        in->line, name, line);
    *value = line + length + 1;
    return PTS_OK;
}

/* Exactly `count`: what follows on the line would be read as something else by another reader. */
static pts_status read_numbers(reader *in, const char *name, double *out, size_t count,
                               pts_error *err)
{
    char *at, *end;
    PTS_TRY(next_line(in, name, &at, err));
    for (size_t i = 0; i < count; i++, at = end) {
        out[i] = strtod(at, &end);
        if (end == at || !isfinite(out[i]))
            return pts_fail(err, PTS_ERR_FORMAT, "%s: line %zu: %s: expected %zu finite numbers",
                            in->path, in->line, name, count);
    }
    if (at[strspn(at, " \t\r")])
        return pts_fail(err, PTS_ERR_FORMAT, "%s: line %zu: %s: expected %zu numbers, got more",
                        in->path, in->line, name, count);
    return PTS_OK;
}

static pts_status read_count(reader *in, const char *name, size_t *out, pts_error *err)
{
    double value;
    PTS_TRY(read_numbers(in, name, &value, 1, err));
    if (!(value >= 0 && value <= 1e9) || value != floor(value))
        return pts_fail(err, PTS_ERR_FORMAT, "%s: line %zu: %s: expected a whole number", in->path,
                        in->line, name);
    *out = (size_t)value;
    return PTS_OK;
}

/* A prior that cannot be asked is a fault of the file, but for want of memory. */
static pts_status check(const reader *in, const pts_curve_prior *prior, pts_error *err)
{
    pts_error why;
    pts_status status = pts_prior_check(prior, &why);
    if (status == PTS_ERR_MEMORY)
        return pts_fail(err, status, "%s", why.message);
    return status == PTS_OK ? PTS_OK
                            : pts_fail(err, PTS_ERR_FORMAT, "%s: %s", in->path, why.message);
}

/* The version first: what follows in a later one may mean something else. */
static pts_status parse(reader *in, pts_prior_file *out, pts_error *err)
{
    char *text;
    PTS_TRY(next_line(in, "pts-prior", &text, err));
    if (strcmp(text, "1") != 0)
        return pts_fail(err, PTS_ERR_UNSUPPORTED, "%s: line 1: expected version 1, got '%.20s'",
                        in->path, text);
    PTS_TRY(next_line(in, "trainer", &text, err));
    snprintf(out->trainer, sizeof out->trainer, "%s", text);
    pts_text_end_whole(out->trainer);
    PTS_TRY(read_count(in, "datasets", &out->datasets, err));
    PTS_TRY(read_count(in, "curves", &out->curves, err));
    PTS_TRY(read_numbers(in, "noise", &out->prior.noise, 1, err));
    PTS_TRY(read_numbers(in, "noise_dof", &out->prior.noise_dof, 1, err));
    PTS_TRY(read_numbers(in, "mean", out->prior.mean, 4, err));
    PTS_TRY(read_numbers(in, "covariance", out->prior.covariance, 16, err));
    return check(in, &out->prior, err);
}

pts_status pts_prior_read(const char *path, pts_prior_file *out, pts_error *err)
{
    char *data;
    size_t size;
    *out = (pts_prior_file){.datasets = 0};
    PTS_TRY(pts_read_file(path, FILE_BYTES, &data, &size, err));
    reader in = {path, data, 0};
    pts_status status = parse(&in, out, err);
    free(data);
    return status;
}
