#include "cli/progress.h"
#include "cli/cli.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* Seconds between two drawings of the bar, and between two lines of a log. */
#define DRAW_SECONDS 0.1
#define LINE_SECONDS 30.0
enum { BAR_CELLS = 24 };

static double seconds_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

void cli_progress_begin(cli_progress *progress)
{
    *progress = (cli_progress){.terminal = isatty(STDERR_FILENO) == 1};
}

static void erase(cli_progress *progress)
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

/* "3.1/s, 2 min 05 s left"; nothing before there is a rate. */
static void write_rate(const cli_progress *progress, size_t done, size_t total, char text[96])
{
    double elapsed = progress->shown - progress->started;
    double rate = elapsed > 0 ? (double)(done - progress->first) / elapsed : 0;
    char left[32];
    text[0] = '\0';
    if (rate <= 0)
        return;
    write_time(left, (double)(total - done) / rate);
    if (rate >= 1)
        snprintf(text, 96, ", %.1f/s, %s left", rate, left);
    else
        snprintf(text, 96, ", %.1f s each, %s left", 1 / rate, left);
}

static void draw_time(cli_progress *progress)
{
    char elapsed[32];
    write_time(elapsed, progress->shown - progress->started);
    fprintf(stderr, "\r\033[K%s, %s", progress->stage, elapsed);
    fflush(stderr);
    progress->drawn = true;
}

static void draw(cli_progress *progress, size_t done, size_t total)
{
    char bar[BAR_CELLS + 1], rate[96];
    size_t filled = done * BAR_CELLS / total;
    memset(bar, '-', BAR_CELLS);
    memset(bar, '#', filled);
    bar[BAR_CELLS] = '\0';
    write_rate(progress, done, total, rate);
    fprintf(stderr, "\r\033[K[%s] %zu/%zu %s%s", bar, done, total, progress->stage, rate);
    fflush(stderr);
    progress->drawn = true;
}

void cli_progress_show(cli_progress *progress, const char *stage, size_t done, size_t total)
{
    double now = seconds_now();
    bool fresh = strcmp(stage, progress->stage) != 0;
    if (fresh) {
        snprintf(progress->stage, sizeof progress->stage, "%s", stage);
        progress->started = progress->shown = now;
        progress->first = done;
    }
    double wait = progress->terminal ? DRAW_SECONDS : LINE_SECONDS;
    if ((done < total || !total) && now - progress->shown < wait)
        return;
    progress->shown = now;
    if (progress->terminal && total) {
        draw(progress, done, total);
    } else if (progress->terminal) {
        draw_time(progress);
    } else if (total) {
        char rate[96];
        write_rate(progress, done, total, rate);
        fprintf(stderr, "%s: %zu of %zu%s\n", stage, done, total, done < total ? rate : "");
    }
}

void cli_progress_say(cli_progress *progress, const char *format, ...)
{
    va_list arguments;
    erase(progress);
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
}

void cli_progress_end(cli_progress *progress)
{
    erase(progress);
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
