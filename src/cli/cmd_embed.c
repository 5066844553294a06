/* ptsinfer embed: photographs to embeddings, as .npy or .csv. */
#include "cli/commands.h"
#include "cli/defaults.h"
#include "cli/images.h"
#include "cli/npy.h"

#include "pts/file.h"

#include <stdlib.h>
#include <string.h>

typedef struct embed_options {
    const char *encoder, *preset, *output;
    long threads, max_pixels;
    pts_image_limits limits;
} embed_options;

typedef struct sink {
    FILE *file;
    bool npy;
    size_t dim;
} sink;

static void write_head(const sink *s, size_t rows)
{
    if (s->npy) {
        cli_npy_header(s->file, rows, s->dim);
        return;
    }
    fputs("image", s->file);
    for (size_t i = 0; i < s->dim; i++)
        fprintf(s->file, ",e%zu", i);
    fputc('\n', s->file);
}

static void write_row(const sink *s, const char *path, const float *row)
{
    if (s->npy) {
        fwrite(row, sizeof *row, s->dim, s->file);
        return;
    }
    pts_csv_field(s->file, path);
    for (size_t i = 0; i < s->dim; i++)
        fprintf(s->file, ",%.9g", (double)row[i]);
    fputc('\n', s->file);
}

static pts_status embed_all(const sink *s, pts_encoder *encoder, const embed_options *o,
                            const cli_paths *paths, pts_error *err)
{
    float *row = malloc(s->dim * sizeof *row);
    if (!row) {
        snprintf(err->message, sizeof err->message, "out of memory");
        return PTS_ERR_MEMORY;
    }
    pts_status status = PTS_OK;
    for (size_t i = 0; i < paths->count && status == PTS_OK; i++) {
        status = cli_embed_image(encoder, o->preset, &o->limits, paths->items[i], row, err);
        if (status == PTS_OK && i == 0) /* a first image that fails leaves stdout empty */
            write_head(s, paths->count);
        if (status == PTS_OK)
            write_row(s, paths->items[i], row);
    }
    free(row);
    return status;
}

static pts_status embed_to_output(const embed_options *o, pts_encoder *encoder,
                                  const cli_paths *paths, pts_error *err)
{
    sink s = {stdout, false, pts_encoder_dim(encoder)};
    if (!o->output)
        return embed_all(&s, encoder, o, paths, err);
    pts_output out;
    pts_status status = pts_output_open(&out, o->output, err);
    if (status != PTS_OK)
        return status;
    s.npy = pts_path_ends(o->output, ".npy");
    s.file = out.file;
    status = embed_all(&s, encoder, o, paths, err);
    if (status == PTS_OK)
        return pts_output_commit(&out, err);
    pts_output_discard(&out);
    return status;
}

static pts_status embed(const embed_options *o, const cli_paths *paths, pts_error *err)
{
    pts_team *team = NULL;
    pts_encoder *encoder = NULL;
    pts_status status = pts_team_create(&team, (int)o->threads, err);
    if (status == PTS_OK)
        status = pts_encoder_open(&encoder, o->encoder, team, err);
    if (status == PTS_OK)
        status = embed_to_output(o, encoder, paths, err);
    pts_encoder_close(encoder);
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
        CLI_MAX_PIXELS_OPTION(&o.max_pixels),
        CLI_THREADS_OPTION(&o.threads),
    };
    const cli_syntax syntax = {"ptsinfer embed", "[-w ENC.ptsw] [-o OUT.npy] IMAGE|FOLDER|-…",
                               "ptsinfer embed -o photos.npy photos/", options,
                               sizeof options / sizeof *options};
    return cli_run(&syntax, argc, argv, run, &o);
}
