/* ptsinfer embed: photographs to embeddings, as .npy or .csv. */
#include "cli/commands.h"
#include "cli/defaults.h"
#include "cli/images.h"
#include "cli/npy.h"

#include "pts/file.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct embed_options {
    const char *encoder, *preset, *output;
    long threads, max_pixels;
    bool normalize;
    pts_image_limits limits;
} embed_options;

typedef struct job {
    const embed_options *options;
    const cli_paths *paths;
    pts_encoder *encoder;
    FILE *file;
    bool npy;
    size_t dim, chunk; /* chunk: images of one call */
    float *rows;       /* [chunk][dim] */
} job;

static void write_head(const job *j)
{
    if (j->npy) {
        cli_npy_header(j->file, j->paths->count, j->dim);
        return;
    }
    fputs("image", j->file);
    for (size_t i = 0; i < j->dim; i++)
        fprintf(j->file, ",e%zu", i);
    fputc('\n', j->file);
}

static void write_row(const job *j, const char *path, const float *row)
{
    if (j->npy) {
        fwrite(row, sizeof *row, j->dim, j->file);
        return;
    }
    pts_csv_field(j->file, path);
    for (size_t i = 0; i < j->dim; i++)
        fprintf(j->file, ",%.9g", (double)row[i]);
    fputc('\n', j->file);
}

/* To unit length, so that a dot product is a cosine; a row of zeros stays. */
static void normalize(float *row, size_t dim)
{
    double squares = 0;
    for (size_t i = 0; i < dim; i++)
        squares += (double)row[i] * (double)row[i];
    for (size_t i = 0; i < dim && squares > 0; i++)
        row[i] = (float)((double)row[i] / sqrt(squares));
}

/* Writes the rows of the images before one that failed, too. */
static pts_status embed_chunk(const job *j, size_t first, size_t count, pts_error *err)
{
    const embed_options *o = j->options;
    const char *preset = strcmp(o->preset, "auto") == 0 ? NULL : o->preset;
    const char *const *paths = (const char *const *)j->paths->items + first;
    size_t done;
    pts_status status =
        pts_encoder_embed_files(j->encoder, paths, count, preset, &o->limits, j->rows, &done, err);
    if (first == 0 && done) /* a first image that fails leaves stdout empty */
        write_head(j);
    for (size_t i = 0; i < done; i++) {
        float *row = j->rows + i * j->dim;
        if (o->normalize)
            normalize(row, j->dim);
        write_row(j, paths[i], row);
    }
    return status;
}

static pts_status embed_chunks(job *j, pts_error *err)
{
    const size_t count = j->paths->count;
    j->rows = calloc(j->chunk, j->dim * sizeof *j->rows);
    if (!j->rows) {
        snprintf(err->message, sizeof err->message, "out of memory");
        return PTS_ERR_MEMORY;
    }
    pts_status status = PTS_OK;
    for (size_t i = 0; i < count && status == PTS_OK; i += j->chunk)
        status = embed_chunk(j, i, count - i < j->chunk ? count - i : j->chunk, err);
    free(j->rows);
    return status;
}

static pts_status embed_to_output(job *j, pts_error *err)
{
    const char *path = j->options->output;
    if (!path)
        return embed_chunks(j, err);
    pts_output out;
    pts_status status = pts_output_open(&out, path, err);
    if (status != PTS_OK)
        return status;
    j->npy = pts_path_ends(path, ".npy");
    j->file = out.file;
    status = embed_chunks(j, err);
    if (status == PTS_OK)
        return pts_output_commit(&out, err);
    pts_output_discard(&out);
    return status;
}

/* Threads wait for each other at the end of a chunk: long enough for that not to count, short
 * enough for memory not to grow with the number of images. */
enum { CHUNK_PER_THREAD = 16 };

static pts_status embed(const embed_options *o, const cli_paths *paths, pts_error *err)
{
    pts_team *team = NULL;
    job j = {.options = o, .paths = paths, .file = stdout};
    pts_status status = pts_team_create(&team, (int)o->threads, err);
    if (status == PTS_OK)
        status = pts_encoder_open(&j.encoder, o->encoder, team, err);
    if (status == PTS_OK) {
        j.dim = pts_encoder_dim(j.encoder);
        j.chunk = CHUNK_PER_THREAD * (size_t)pts_team_threads(team);
        status = embed_to_output(&j, err);
    }
    pts_encoder_close(j.encoder);
    pts_team_destroy(team);
    return status;
}

static bool known_output(const char *path)
{
    return !path || pts_path_ends(path, ".npy") || pts_path_ends(path, ".csv");
}

static int check(const cli_syntax *syntax, embed_options *o, const cli_list *operands)
{
    if (!operands->count)
        return cli_wrong(syntax, "expected images, folders or -, got nothing");
    if (!known_output(o->output))
        return cli_wrong(syntax, "-o: expected NAME.npy or NAME.csv, got '%s'", o->output);
    if (!cli_image_limits(o->max_pixels, &o->limits))
        return cli_wrong(syntax, "--max-pixels: expected 1 or more, got %ld", o->max_pixels);
    if (strcmp(o->preset, "auto") != 0 && !pts_preset_known(o->preset))
        return cli_wrong(syntax,
                         "--preset: expected auto, keras, torchvision, clip or ptssp, got '%s'",
                         o->preset);
    return -1;
}

static int run(const cli_syntax *syntax, const cli_list *operands, void *user)
{
    embed_options *o = user;
    int code = check(syntax, o, operands);
    if (code >= 0)
        return code;
    char path[4096];
    if (!o->encoder)
        o->encoder = cli_default_file("inception_v3.ptsw", path, sizeof path);
    pts_error err;
    cli_paths paths;
    pts_status status = cli_paths_collect(&paths, operands, &err);
    if (status == PTS_OK)
        status = embed(o, &paths, &err);
    cli_paths_free(&paths);
    return status == PTS_OK ? CLI_DONE : cli_fail(syntax, "%s", err.message);
}

int cmd_embed(int argc, char **argv)
{
    embed_options o = {.preset = "auto", .max_pixels = 100000000};
    const cli_option options[] = {
        {"--weights", 'w', CLI_TEXT, &o.encoder, "ENC.ptsw", "encoder (the installed one)"},
        {"--preset", 0, CLI_TEXT, &o.preset, "NAME",
         "auto, keras, torchvision, clip or ptssp (auto: the encoder's own)"},
        {"--output", 'o', CLI_TEXT, &o.output, "OUT.npy|OUT.csv", "file (csv to stdout)"},
        {"--normalize", 0, CLI_FLAG, &o.normalize, NULL, "to unit length"},
        CLI_MAX_PIXELS_OPTION(&o.max_pixels),
        CLI_THREADS_OPTION(&o.threads),
    };
    const cli_syntax syntax = {"ptsinfer embed", "[-w ENC.ptsw] [-o OUT.npy] IMAGE|FOLDER|-…",
                               "ptsinfer embed -o photos.npy photos/", options,
                               sizeof options / sizeof *options};
    return cli_run(&syntax, argc, argv, run, &o);
}
