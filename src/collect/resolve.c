/* A trainer's command is written where ptstrain is called and runs in a job's folder: without this
 * `python3 tools/trainers/x.py` would look for the script among the job's files. */
#define _GNU_SOURCE
#include "collect/resolve.h"
#include "base/error.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ENDS " \t\n;|&<>()"

/* In quotes with them; 0 where no word begins. */
static size_t word_length(const char *at)
{
    if (*at != '\'' && *at != '"')
        return strcspn(at, ENDS "='\"");
    const char *close = strchr(at + 1, *at);
    return close ? (size_t)(close + 1 - at) : strlen(at);
}

/* What lies in the job's folder means the job's, whatever lies here under the same name: who stands
 * in a data set has a data.yaml too. */
static bool is_the_jobs(const char *name)
{
    static const char *const names[] = {
        "images",    "labels",  "job.json",          "data.yaml",        "train.json", "val.json",
        "test.json", "log.txt", "test_results.json", "val_results.json", "weights"};
    size_t length = strcspn(name, "/");
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (strlen(names[i]) == length && strncmp(name, names[i], length) == 0)
            return true;
    }
    return false;
}

/* Without a slash only what looks like a file's name: `train` may be a folder here and is an
 * argument there, and the first word is looked for in PATH. */
static bool names_a_file(const char *name, bool first)
{
    struct stat info;
    bool slash = strchr(name, '/') != NULL;
    while (strncmp(name, "./", 2) == 0)
        name += 2;
    if (!*name || *name == '/' || is_the_jobs(name) || stat(name, &info) != 0)
        return false;
    return slash || (!first && strchr(name, '.') && S_ISREG(info.st_mode));
}

/* The folder's name may hold anything. */
static void write_quoted(FILE *out, const char *folder, const char *name)
{
    const char *const parts[] = {folder, "/", name};
    fputc('\'', out);
    for (size_t i = 0; i < 3; i++) {
        for (const char *c = parts[i]; *c; c++)
            *c == '\'' ? fputs("'\\''", out) : fputc(*c, out);
    }
    fputc('\'', out);
}

static void write_word(FILE *out, const char *at, size_t length, bool first, const char *folder)
{
    char name[PATH_MAX];
    size_t quote = *at == '\'' || *at == '"';
    bool fits = length > 2 * quote && length - 2 * quote < sizeof name;
    if (fits)
        snprintf(name, sizeof name, "%.*s", (int)(length - 2 * quote), at + quote);
    if (fits && names_a_file(name, first))
        write_quoted(out, folder, name);
    else
        fwrite(at, 1, length, out);
}

/* A word that is only part of what the shell makes one, as in $HOME/"x", is left alone. */
static void write_words(FILE *out, const char *command, const char *folder)
{
    for (const char *at = command; *at;) {
        size_t length = word_length(at);
        bool begins = at == command || strchr(ENDS "=", at[-1]);
        if (length && begins && (!at[length] || strchr(ENDS, at[length])))
            write_word(out, at, length, at == command, folder);
        else
            fwrite(at, 1, length ? length : 1, out);
        at += length ? length : 1;
    }
}

pts_status pts_command_resolve(char **out, const char *command, pts_error *err)
{
    char folder[PATH_MAX];
    size_t size;
    *out = NULL;
    if (!getcwd(folder, sizeof folder))
        return pts_fail(err, PTS_ERR_IO, "the working directory: %s", strerror(errno));
    FILE *text = open_memstream(out, &size);
    if (!text)
        return pts_fail_memory(err, strlen(command));
    write_words(text, command, folder);
    bool failed = ferror(text);
    if (fclose(text) == 0 && !failed)
        return PTS_OK;
    free(*out);
    *out = NULL;
    return pts_fail_memory(err, strlen(command));
}
