/* ptsinfer embed: photographs to embeddings, as .npy or .csv; under mpirun by all ranks. */
#include "cli/commands.h"
#include "cli/defaults.h"
#include "cli/embedder.h"
#include "cli/npy.h"
#include "cli/progress.h"

#include "pts/file.h"

#include <errno.h>
#include <math.h>
#include <string.h>

typedef struct embed_options {
    const char *encoder, *preset, *output, *list;
    long threads, max_pixels;
    bool normalize, skip;
    pts_image_limits limits;
} embed_options;

typedef struct job {
    const embed_options *options;
    cli_embedder embedder;
    cli_paths paths;
    cli_progress bar;
    FILE *file;
    bool npy, begun;
    size_t dim, skipped;
} job;

static void write_head(const job *j)
{
    if (j->npy) {
        cli_npy_header(j->file, j->paths.count, j->dim);
        return;
    }
    fputs("image", j->file);
    for (size_t i = 0; i < j->dim; i++)
        fprintf(j->file, ",e%zu", i);
    fputc('\n', j->file);
}

/* Which one, and why: it is read once more, as only its row came from the rank that failed. */
static void say_skipped(job *j, const char *path)
{
    pts_image image;
    pts_error err;
    j->skipped++;
    if (pts_image_read(path, &j->options->limits, &image, &err) != PTS_OK) {
        cli_progress_say(&j->bar, "left out: %s", err.message);
        return;
    }
    pts_image_free(&image);
    cli_progress_say(&j->bar, "left out: %s: could not be read in its turn", path);
}

/* One that was skipped keeps its place in a .npy; in a .csv each row has its name. */
static void write_row(job *j, const char *path, const float *row)
{
    if (isnan(row[0]))
        say_skipped(j, path);
    if (j->npy) {
        fwrite(row, sizeof *row, j->dim, j->file);
        return;
    }
    if (isnan(row[0]))
        return;
    pts_csv_field(j->file, path);
    for (size_t i = 0; i < j->dim; i++)
        fprintf(j->file, ",%.9g", (double)row[i]);
    fputc('\n', j->file);
}

static pts_status put_rows(void *user, size_t first, size_t count, const float *rows,
                           pts_error *err)
{
    job *j = user;
    if (count && !j->begun) /* a first image that fails leaves stdout empty */
        write_head(j);
    j->begun |= count > 0;
    if (j->npy && fseeko(j->file, (off_t)cli_npy_offset(first, j->dim), SEEK_SET) != 0)
        return pts_fail(err, PTS_ERR_IO, "%s: %s", j->options->output, strerror(errno));
    for (size_t i = 0; i < count; i++)
        write_row(j, j->paths.items[first + i], rows + i * j->dim);
    if (!ferror(j->file) || !j->options->output) /* stdout's end is looked at by all commands */
        return PTS_OK;
    return pts_fail(err, PTS_ERR_IO, "%s: cannot write: %s", j->options->output, strerror(errno));
}

/* A list of a few images needs no bar. */
enum { MANY = 256 };

static int show_done(void *user, size_t done)
{
    job *j = user;
    if (j->paths.count >= MANY)
        cli_progress_show(&j->bar, "images", done, j->paths.count);
    return cli_stopping();
}

static pts_status lead_all(job *j, pts_error *err)
{
    PTS_TRY(cli_embed_lead(&j->embedder, &j->paths, put_rows, show_done, j, err));
    if (j->skipped && j->skipped == j->paths.count)
        return pts_fail(err, PTS_ERR_FORMAT, "expected a readable image, got none of %zu",
                        j->skipped);
    if (j->skipped)
        cli_progress_say(&j->bar, "left out: %zu of %zu images", j->skipped, j->paths.count);
    return PTS_OK;
}

static pts_status lead_to_output(job *j, pts_error *err)
{
    const char *path = j->options->output;
    if (!path)
        return lead_all(j, err);
    pts_output out;
    PTS_TRY(pts_output_open(&out, path, err));
    j->npy = pts_path_ends(path, ".npy");
    j->file = out.file;
    cli_unlink_on_signal(out.temporary);
    pts_status status = lead_all(j, err);
    cli_unlink_on_signal(NULL);
    if (status == PTS_OK)
        return pts_output_commit(&out, err);
    pts_output_discard(&out);
    return status;
}

/* Rank 0 alone needs the list, and is told to stop: mpirun ends the others. */
static pts_status lead(job *j, const cli_list *operands, pts_error *err)
{
    cli_stop_on_signals();
    PTS_TRY(cli_paths_collect(&j->paths, operands, j->options->list, err));
    cli_progress_begin(&j->bar);
    pts_status status = lead_to_output(j, err);
    cli_progress_end(&j->bar);
    cli_paths_free(&j->paths);
    return status;
}

static pts_status open_encoder(job *j, pts_team **team, pts_error *err)
{
    const embed_options *o = j->options;
    cli_embedder *e = &j->embedder;
    PTS_TRY(pts_team_create(team, (int)o->threads, err));
    PTS_TRY(pts_encoder_open(&e->encoder, o->encoder, *team, err));
    j->dim = pts_encoder_dim(e->encoder);
    e->threads = pts_team_threads(*team);
    e->preset = strcmp(o->preset, "auto") == 0 ? pts_encoder_preset(e->encoder) : o->preset;
    e->limits = &o->limits;
    e->normalize = o->normalize;
    e->skip = o->skip;
    return PTS_OK;
}

static pts_status embed(const embed_options *o, const cli_list *operands, pts_ranks *ranks,
                        pts_error *err)
{
    pts_team *team = NULL;
    atomic_bool stop = false;
    job j = {.options = o, .file = stdout, .embedder = {.ranks = ranks, .stop = &stop}};
    pts_status status = open_encoder(&j, &team, err);
    if (status == PTS_OK && !pts_ranks_rank(ranks))
        status = lead(&j, operands, err);
#ifdef PTS_HAVE_MPI
    else if (status == PTS_OK)
        status = cli_embed_follow(&j.embedder, err);
#endif
    pts_encoder_close(j.embedder.encoder);
    pts_team_destroy(team);
    return status;
}

static bool known_output(const char *path)
{
    return !path || pts_path_ends(path, ".npy") || pts_path_ends(path, ".csv");
}

static int check(const cli_syntax *syntax, embed_options *o, const cli_list *operands)
{
    if (!operands->count && !o->list)
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

/* Rows come from several ranks in any order, and only a .npy has places for them. */
static int check_ranks(const cli_syntax *syntax, const embed_options *o, const pts_ranks *ranks)
{
    if (!ranks || (o->output && pts_path_ends(o->output, ".npy")))
        return -1;
    if (pts_ranks_rank(ranks) > 0) /* one message is enough */
        return CLI_USAGE;
    return cli_wrong(syntax, "under mpirun: expected -o NAME.npy, got %s",
                     o->output ? o->output : "none");
}

static int embed_here(const cli_syntax *syntax, embed_options *o, const cli_list *operands,
                      pts_ranks *ranks)
{
    pts_error err;
    pts_status status = embed(o, operands, ranks, &err);
    if (status == PTS_ERR_CANCELLED && cli_stopping())
        return cli_fail(syntax, "stopped%s", o->output ? "; nothing is written" : "");
    if (status != PTS_OK) /* without a farewell: mpirun ends the other ranks */
        return cli_fail(syntax, "%s", err.message);
    pts_ranks_finish(ranks);
    return CLI_DONE;
}

static int run(const cli_syntax *syntax, const cli_list *operands, void *user)
{
    embed_options *o = user;
    pts_ranks *ranks = NULL;
    pts_error err;
    int code = check(syntax, o, operands);
    if (code >= 0)
        return code;
    char path[4096];
    o->encoder = cli_default_encoder(o->encoder, path, sizeof path);
    if (cli_under_mpirun() && pts_ranks_start(&ranks, &err) != PTS_OK)
        return cli_fail(syntax, "%s", err.message);
    code = check_ranks(syntax, o, ranks);
    if (code < 0)
        return embed_here(syntax, o, operands, ranks);
    pts_ranks_finish(ranks);
    return code;
}

int cmd_embed(int argc, char **argv)
{
    embed_options o = {.preset = "auto", .max_pixels = 100000000};
    const cli_option options[] = {
        {"--weights", 'w', CLI_TEXT, &o.encoder, "ENC.ptsw", "encoder (the installed one)"},
        {"--preset", 0, CLI_TEXT, &o.preset, "NAME",
         "auto, keras, torchvision, clip or ptssp (auto: the encoder's own)"},
        {"--output", 'o', CLI_TEXT, &o.output, "OUT.npy|OUT.csv", "file (csv to stdout)"},
        {"--list", 0, CLI_TEXT, &o.list, "FILE", "images, a path a line (-: stdin)"},
        {"--skip", 0, CLI_FLAG, &o.skip, NULL,
         "leave out what cannot be read (a row of NaN in .npy)"},
        {"--normalize", 0, CLI_FLAG, &o.normalize, NULL, "to unit length"},
        CLI_MAX_PIXELS_OPTION(&o.max_pixels),
        CLI_THREADS_OPTION(&o.threads),
    };
    return CLI_RUN(options, argc, argv, run, &o, "ptsinfer embed",
                   "[-w ENC.ptsw] [-o OUT.npy] IMAGE|FOLDER|-…",
                   "ptsinfer embed -o photos.npy photos/");
}
