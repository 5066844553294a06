/* The command line's common part: option tables, exit codes, messages.
 *
 * stdout carries the result only; messages and progress go to stderr. Exit codes are a contract:
 * 0 done, 1 failed, 2 wrong usage, 3 answered "not reachable". PTS_CPU in the environment, where
 * it is not empty, is the level that pts/cpu.h is limited to. */
#ifndef PTS_CLI_CLI_H
#define PTS_CLI_CLI_H

#include "base/error.h"

#include <stdbool.h>

enum { CLI_DONE = 0, CLI_FAILED = 1, CLI_USAGE = 2, CLI_UNREACHABLE = 3 };

typedef struct cli_command {
    const char *name, *summary;
    int (*run)(int argc, char **argv); /* argv[0] is the command's name */
} cli_command;

/* Finds argv[1] among the commands and runs it; -h and --version are answered here. */
int cli_dispatch(const char *program, const char *purpose, const cli_command *commands,
                 size_t count, int argc, char **argv);

typedef enum cli_kind {
    CLI_FLAG,    /* bool *: set true */
    CLI_TEXT,    /* const char **: the next argument */
    CLI_INTEGER, /* long *: the next argument, whole */
    CLI_NUMBER,  /* double *: the next argument, finite */
    CLI_THREADS, /* long *: the next argument, 1 … 256; left at 0, it means all cores */
    CLI_TEXTS,   /* cli_list *: the next argument; may be repeated */
    CLI_LIST     /* cli_list *: every argument up to the next option; may be repeated */
} cli_kind;

/* Points into argv, whose strings outlive the command; cli_run makes and releases `items`. */
typedef struct cli_list {
    const char **items;
    size_t count;
} cli_list;

typedef struct cli_option {
    const char *name; /* "--target" */
    char letter;      /* 'o' for -o, or 0 */
    cli_kind kind;
    void *value;
    const char *argument; /* "Y": how -h names the value; NULL for a flag */
    const char *help;
} cli_option;

typedef struct cli_syntax {
    const char *command;  /* "ptsinfer predict" */
    const char *synopsis; /* "--target Y IMAGE IMAGE IMAGE IMAGE" */
    const char *example;  /* a line that works as it stands */
    const cli_option *options;
    size_t count;
} cli_syntax;

#define CLI_THREADS_OPTION(value)                                                                  \
    {                                                                                              \
        "--threads", 0, CLI_THREADS, (value), "N", "threads, 1 … 256 (all cores)"                \
    }

typedef int cli_body(const cli_syntax *syntax, const cli_list *operands, void *user);

/* Reads options anywhere among the arguments ("--" ends them, a lone "-" is none), then calls
 * run(syntax, the rest, user). Returns its exit code; -h prints the help to stdout (0), a mistake
 * prints one line to stderr (2). */
int cli_run(const cli_syntax *syntax, int argc, char **argv, cli_body *run, void *user);
/* cli_run over `table`, an array of options; the rest: command, synopsis, example. */
#define CLI_RUN(table, argc, argv, run, user, ...)                                                 \
    cli_run(&(const cli_syntax){__VA_ARGS__, (table), sizeof(table) / sizeof *(table)}, argc,      \
            argv, run, user)
/* For a command without operands: -1 to go on, else the exit code. */
int cli_no_operands(const cli_syntax *syntax, const cli_list *operands);

/* "ptsinfer predict: …" to stderr; they return the exit code. */
int cli_fail(const cli_syntax *syntax, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
int cli_wrong(const cli_syntax *syntax, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* A whole number that is all of `text`. */
bool cli_integer(const char *text, long *value);

#ifdef PTS_HAVE_JSON
#include "base/json.h"
/* Prints to stdout with 17 significant digits and a newline, and releases the value. */
void cli_print_json(json_t *value);
#endif

#endif
