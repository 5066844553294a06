#define _DEFAULT_SOURCE /* TIOCGWINSZ */
#include "cli/progress.h"
#include "base/clock.h"
#include "cli/cli.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* Seconds between two drawings of the bar, and between two lines of a log. */
#define DRAW_SECONDS 0.1
#define LINE_SECONDS 30.0
enum { BAR_CELLS = 24, LEAST_BAR = 8, NARROW = 60, LINE_BYTES = 512 };

void cli_progress_begin(cli_progress *progress)
{
    *progress = (cli_progress){.terminal = isatty(STDERR_FILENO) == 1};
}

void cli_progress_end(cli_progress *progress)
{
    if (progress->drawn)
        fputs("\r\033[K", stderr);
    progress->drawn = false;
}

static void write_time(char text[32], double seconds)
{
    unsigned long s = (unsigned long)(seconds + 0.5);
    if (s >= 3600)
        snprintf(text, 32, "%lu h %02lu min", s / 3600, s / 60 % 60);
    else if (s >= 60)
        snprintf(text, 32, "%lu min %02lu s", s / 60, s % 60);
    else
        snprintf(text, 32, "%lu s", s);
}

/* ", 3.1/s" and ", 2 min 05 s left"; nothing before there is a rate. */
static void write_rate(const cli_progress *progress, size_t done, size_t total, char rate[48],
                       char left[48])
{
    double elapsed = progress->shown - progress->started;
    double speed = elapsed > 0 ? ((double)done - (double)progress->first) / elapsed : 0;
    char text[32];
    rate[0] = left[0] = '\0';
    if (speed <= 0)
        return;
    write_time(text, (double)(total - done) / speed);
    snprintf(left, 48, ", %s left", text);
    if (speed >= 1)
        snprintf(rate, 48, ", %.1f/s", speed);
    else
        snprintf(rate, 48, ", %.1f s each", 1 / speed);
}

/* ---- a line that fits ---- */

/* A line that is wrapped could not be taken away. The last column stays free: some terminals wrap
 * once it is written. */
static size_t terminal_cells(void)
{
    struct winsize size;
    if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col < 2)
        return 79;
    return (size_t)size.ws_col - 1;
}

/* Of a UTF-8 character by its first byte; from U+3000 on most are two cells wide. */
static size_t cells_of(unsigned char c)
{
    return c < 0x80 ? 1 : c < 0xC0 ? 0 : c < 0xE3 ? 1 : 2;
}

static size_t count_cells(const char *text)
{
    size_t cells = 0;
    for (; *text; text++)
        cells += cells_of((unsigned char)*text);
    return cells;
}

/* Cuts the text to so many cells, at a character's border. */
static void cut(char *text, size_t cells)
{
    size_t used = 0, i = 0;
    for (; text[i]; i++) {
        used += cells_of((unsigned char)text[i]);
        if (used > cells)
            break;
    }
    text[i] = '\0';
}

/* Names from outside: a control character in one would move the cursor. */
static void copy_plain(char *out, size_t size, const char *text)
{
    snprintf(out, size, "%s", text);
    for (char *c = out; *c; c++) {
        if ((unsigned char)*c < ' ' || *c == 127)
            *c = '?';
    }
    cut(out, size); /* no half of a character is left at the end */
}

static void put_line(cli_progress *progress, char line[LINE_BYTES])
{
    cut(line, terminal_cells());
    fprintf(stderr, "\r\033[K%s", line);
    fflush(stderr);
    progress->drawn = true;
}

static void draw_time(cli_progress *progress)
{
    char elapsed[32], line[LINE_BYTES];
    write_time(elapsed, progress->shown - progress->started);
    snprintf(line, sizeof line, "%s, %s", progress->stage, elapsed);
    put_line(progress, line);
}

/* "[####----] ", as wide as there is room beside the text, whose end is given up for a short one
 * where the terminal is not a narrow one itself. */
static void write_bar(char out[BAR_CELLS + 4], size_t done, size_t total, size_t text)
{
    size_t cells = terminal_cells(), room = cells > text + 3 ? cells - text - 3 : 0;
    out[0] = '\0';
    if (room < LEAST_BAR && cells < NARROW)
        return;
    room = room < LEAST_BAR ? LEAST_BAR : room;
    size_t width = room < BAR_CELLS ? room : BAR_CELLS;
    size_t filled = (size_t)((double)done / (double)total * (double)width);
    out[0] = '[';
    memset(out + 1, '#', filled);
    memset(out + 1 + filled, '-', width - filled);
    memcpy(out + 1 + width, "] ", 3);
}

static void draw(cli_progress *progress, size_t done, size_t total)
{
    char bar[BAR_CELLS + 4], rate[48], left[48], text[LINE_BYTES - BAR_CELLS - 4], line[LINE_BYTES];
    const char *comma = *progress->detail ? "; " : "";
    write_rate(progress, done, total, rate, left);
    snprintf(text, sizeof text, "%zu/%zu %s%s%s%s%s", done, total, progress->stage, rate, left,
             comma, progress->detail);
    if (count_cells(text) > terminal_cells()) /* what can be done without goes first */
        snprintf(text, sizeof text, "%zu/%zu %s%s%s%s", done, total, progress->stage, left, comma,
                 progress->detail);
    write_bar(bar, done, total, count_cells(text));
    snprintf(line, sizeof line, "%s%s", bar, text);
    put_line(progress, line);
}

static void log_line(const cli_progress *progress, size_t done, size_t total)
{
    char rate[48], left[48];
    bool detailed = *progress->detail && done < total;
    write_rate(progress, done, total, rate, left);
    fprintf(stderr, "%s: %zu of %zu%s%s%s%s\n", progress->stage, done, total,
            done < total ? rate : "", done < total ? left : "", detailed ? "; " : "",
            detailed ? progress->detail : "");
}

static void show(cli_progress *progress, const char *stage, size_t done, size_t total)
{
    double now = pts_clock();
    char name[sizeof progress->stage];
    copy_plain(name, sizeof name, stage);
    if (strcmp(name, progress->stage) != 0) {
        memcpy(progress->stage, name, sizeof name);
        progress->started = progress->shown = now;
        progress->first = done;
    }
    double wait = progress->terminal ? DRAW_SECONDS : LINE_SECONDS;
    if ((done < total || !total) && now - progress->shown < wait)
        return;
    progress->shown = now;
    if (progress->terminal && total)
        draw(progress, done, total);
    else if (progress->terminal)
        draw_time(progress);
    else if (total)
        log_line(progress, done, total);
}

void cli_progress_show(cli_progress *progress, const char *stage, size_t done, size_t total)
{
    progress->detail[0] = '\0';
    show(progress, stage, done, total);
}

void cli_progress_detail(cli_progress *progress, const char *stage, size_t done, size_t total,
                         const char *detail)
{
    copy_plain(progress->detail, sizeof progress->detail, detail);
    show(progress, stage, done, total);
}

void cli_progress_skip(cli_progress *progress)
{
    progress->first++;
}

void cli_progress_say(cli_progress *progress, const char *format, ...)
{
    va_list arguments;
    cli_progress_end(progress);
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
}

/* ---- Ctrl-C ---- */

static volatile sig_atomic_t stopping;
static const char *volatile doomed;

static void on_signal(int number)
{
    (void)number;
    int saved = errno;
    if (doomed)
        unlink(doomed);
    errno = saved;
    stopping = 1;
}

static const char *volatile farewell;

static void quit_on_signal(int number)
{
    (void)number;
    ssize_t written = write(STDERR_FILENO, farewell, strlen(farewell));
    (void)written; /* nobody is left to hear of it */
    _exit(CLI_FAILED);
}

static void handle_signals(void (*handler)(int))
{
    struct sigaction action = {.sa_handler = handler, .sa_flags = (int)SA_RESETHAND};
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

void cli_quit_on_signals(const char *line)
{
    farewell = line;
    handle_signals(quit_on_signal);
}

void cli_stop_on_signals(void)
{
    handle_signals(on_signal);
}

void cli_unlink_on_signal(const char *path)
{
    doomed = path;
}

bool cli_stopping(void)
{
    return stopping;
}

bool cli_under_mpirun(void)
{
    return getenv("OMPI_COMM_WORLD_SIZE") || getenv("PMI_SIZE") || getenv("PMIX_RANK");
}
