/* Priors as text files: pts/curve.h. */
#include "pts/curve.h"
#include "pts/file.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/text.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FILE_BYTES = 1 << 16 };

pts_status pts_prior_learn(const pts_curve_set *set, const char *trainer, pts_prior_file *out,
                           pts_error *err)
{
    *out = (pts_prior_file){.curves = set->count};
    double *weights = pts_calloc64(set->count, sizeof *weights);
    if (!weights)
        return pts_fail_memory(err, set->count * sizeof *weights);
    for (size_t i = 0; i < set->count; i++) {
        size_t mates = 0, first = set->count;
        for (size_t k = set->count; k-- > 0;) {
            if (strcmp(set->curves[k].dataset, set->curves[i].dataset) == 0) {
                mates++;
                first = k;
            }
        }
        weights[i] = 1 / (double)mates;
        out->datasets += first == i;
    }
    snprintf(out->trainer, sizeof out->trainer, "%s", trainer);
    pts_text_end_whole(out->trainer);
    out->trainer[strcspn(out->trainer, "\r\n")] = '\0';
    pts_status status = pts_curve_prior_learn(set->curves, weights, set->count, &out->prior, err);
    free(weights);
    return status;
}

static void write_numbers(FILE *file, const char *name, const double *values, size_t count)
{
    fputs(name, file);
    for (size_t i = 0; i < count; i++)
        fprintf(file, " %.17g", values[i]);
    fputc('\n', file);
}

pts_status pts_prior_write(const char *path, const pts_prior_file *prior, pts_error *err)
{
    pts_output out;
    PTS_TRY(pts_output_open(&out, path, err));
    fprintf(out.file, "pts-prior 1\ntrainer %s\ndatasets %zu\ncurves %zu\n", prior->trainer,
            prior->datasets, prior->curves);
    write_numbers(out.file, "noise", &prior->prior.noise, 1);
    write_numbers(out.file, "noise_dof", &prior->prior.noise_dof, 1);
    write_numbers(out.file, "mean", prior->prior.mean, 4);
    write_numbers(out.file, "covariance", prior->prior.covariance, 16);
    return pts_output_commit(&out, err);
}

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

/* The posterior without points is there for any prior that makes sense. */
pts_status pts_prior_check(const pts_curve_prior *prior, pts_error *err)
{
    pts_curve_posterior *posterior = malloc(sizeof *posterior);
    if (!posterior)
        return pts_fail_memory(err, sizeof *posterior);
    pts_status status = pts_curve_posterior_find(prior, NULL, NULL, 0, posterior, err);
    free(posterior);
    return status;
}

static pts_status check(const reader *in, const pts_curve_prior *prior, pts_error *err)
{
    pts_error why;
    pts_status status = pts_prior_check(prior, &why);
    if (status == PTS_ERR_MEMORY)
        return pts_fail(err, status, "%s", why.message);
    return status == PTS_OK ? PTS_OK
                            : pts_fail(err, PTS_ERR_FORMAT, "%s: %s", in->path, why.message);
}

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
