/* ptsbench encoders --follow: the encoder for one who holds the clock of several contestants.
 * A line "COUNT" on stdin: the first COUNT images of encoder_input.h are embedded; the answer on
 * stdout is the seconds that took, and nothing but it. Images are made before the clock starts. */
#include "encoder_input.h"

#include "pts/file.h"

#include <stdio.h>
#include <string.h>

/* "4\n", or "4" at the end of the input. */
static bool read_count(char *line, size_t *count)
{
    size_t length = strcspn(line, "\n");
    bool whole = line[length] == '\n' || feof(stdin);
    long value;
    line[length] = '\0';
    if (!whole || !cli_integer(line, &value) || value < 1 || value > BENCH_MOST_IMAGES)
        return false;
    *count = (size_t)value;
    return true;
}

/* For a message: the line's printable part. */
static void hide_controls(char *text)
{
    for (; *text; text++) {
        if ((unsigned char)*text < ' ' || (unsigned char)*text > '~')
            *text = '?';
    }
}

static pts_status follow_line(bench *b, bench_encoder *e, char *line, size_t number)
{
    size_t count;
    if (!read_count(line, &count)) {
        hide_controls(line);
        return pts_fail(&b->err, PTS_ERR_FORMAT,
                        "--follow: line %zu: expected a number of images, 1 … %d, got '%s'", number,
                        BENCH_MOST_IMAGES, line);
    }
    PTS_TRY(bench_encoder_fill(b, e, count));
    double start = pts_clock();
    PTS_TRY(bench_embed(e, &b->err));
    printf("%.9f\n", pts_clock() - start);
    return fflush(stdout) == 0
               ? PTS_OK
               : pts_fail(&b->err, PTS_ERR_IO, "standard output: cannot write the result");
}

/* The last line's embeddings, [count][dim] float32. */
static pts_status write_embeddings(bench *b, const bench_encoder *e)
{
    pts_output output;
    PTS_TRY(pts_output_open(&output, b->output_path, &b->err));
    fwrite(e->out, sizeof *e->out * e->dim, e->count, output.file);
    return pts_output_commit(&output, &b->err);
}

static pts_status follow_lines(bench *b, bench_encoder *e)
{
    char line[64];
    PTS_TRY(bench_encoder_open(b, e));
    for (size_t number = 1; fgets(line, sizeof line, stdin); number++)
        PTS_TRY(follow_line(b, e, line, number));
    if (ferror(stdin))
        return pts_fail(&b->err, PTS_ERR_IO, "standard input: cannot be read");
    if (b->output_path && !e->count)
        return pts_fail(&b->err, PTS_ERR_ARGUMENT, "--output: no line asked for images");
    return b->output_path ? write_embeddings(b, e) : PTS_OK;
}

pts_status bench_follow(bench *b)
{
    bench_encoder e;
    pts_status status = follow_lines(b, &e);
    bench_encoder_close(&e);
    return status;
}
