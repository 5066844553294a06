#include "cli/cli.h"

#include "base/text.h"
#include "cli/defaults.h"

#include "pts/cpu.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A full disk shows only when the buffer is written: without this, half a result exits 0. */
static int run_command(const char *program, const cli_command *command, int argc, char **argv)
{
    int code = command->run(argc, argv);
    int cut = fflush(stdout) != 0 || ferror(stdout);
    if (!cut || code == CLI_FAILED)
        return code;
    fprintf(stderr, "%s %s: standard output: cannot write the result\n", program, command->name);
    return CLI_FAILED;
}

int cli_dispatch(const char *program, const char *purpose, const cli_command *commands,
                 size_t count, int argc, char **argv)
{
    const char *name = argc > 1 ? argv[1] : NULL;
    if (name && strcmp(name, "--version") == 0) {
        printf("%s %s\n", program, PTS_VERSION_STRING);
        return CLI_DONE;
    }
    for (size_t i = 0; name && i < count; i++) {
        if (strcmp(name, commands[i].name) == 0)
            return run_command(program, &commands[i], argc - 1, argv + 1);
    }
    bool help = name && (strcmp(name, "-h") == 0 || strcmp(name, "--help") == 0 ||
                         strcmp(name, "help") == 0);
    if (help && name[0] == 'h' && argc > 2) {
        char option[] = "-h", *asked[] = {argv[0], argv[2], option, NULL};
        return cli_dispatch(program, purpose, commands, count, 3, asked);
    }
    if (name && !help) {
        fprintf(stderr, "%s: no command '%s' (%s -h lists them)\n", program, name, program);
        return CLI_USAGE;
    }
    FILE *out = help ? stdout : stderr;
    fprintf(out, "%s: %s\n\nusage: %s COMMAND [OPTION …]   (%s COMMAND -h for its own help)\n\n",
            program, purpose, program, program);
    for (size_t i = 0; i < count; i++)
        fprintf(out, "  %-12s %s\n", commands[i].name, commands[i].summary);
    fprintf(out,
            "\nPTS_CPU=c|avx2|avx512 in the environment: that level of kernels, not the highest.\n"
            "PTS_WEIGHTS=FOLDER: where the default encoder, head and priors are.\n"
            "Where one of them is empty, it is as if it were not set.\n");
    return help ? CLI_DONE : CLI_USAGE;
}

static void print_message(const cli_syntax *syntax, const char *format, va_list args)
{
    char message[8192], note[8192];
    vsnprintf(message, sizeof message, format, args);
    cli_default_note(message, note, sizeof note);
    fprintf(stderr, "%s: %s%s\n", syntax->command, message, note);
}

int cli_fail(const cli_syntax *syntax, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    print_message(syntax, format, args);
    va_end(args);
    return CLI_FAILED;
}

int cli_wrong(const cli_syntax *syntax, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    print_message(syntax, format, args);
    va_end(args);
    return CLI_USAGE;
}

bool cli_integer(const char *text, long *value)
{
    char *end;
    errno = 0;
    long number = strtol(text, &end, 10);
    if (end == text || *end || errno)
        return false;
    *value = number;
    return true;
}

static void print_help(const cli_syntax *syntax)
{
    printf("usage: %s %s\n\n", syntax->command, syntax->synopsis);
    for (size_t i = 0; i < syntax->count; i++) {
        const cli_option *o = &syntax->options[i];
        char names[64], letter[5] = "";
        if (o->letter)
            snprintf(letter, sizeof letter, "-%c, ", o->letter);
        snprintf(names, sizeof names, "%s%s%s%s", letter, o->name, o->argument ? " " : "",
                 o->argument ? o->argument : "");
        printf("  %-28s %s\n", names, o->help);
    }
    printf("\nexample:\n  %s\n", syntax->example);
}

static const cli_option *find_option(const cli_syntax *syntax, const char *text)
{
    for (size_t i = 0; i < syntax->count; i++) {
        const cli_option *o = &syntax->options[i];
        if (strcmp(text, o->name) == 0 || (o->letter && text[1] == o->letter && !text[2]))
            return o;
    }
    return NULL;
}

static bool is_list(const cli_option *o)
{
    return o->kind == CLI_LIST || o->kind == CLI_TEXTS;
}

static bool looks_like_option(const char *text)
{
    double number;
    return text[0] == '-' && text[1] && !pts_number_read(text, &number);
}

static int store_threads(const cli_syntax *syntax, const cli_option *o, const char *text)
{
    long threads;
    bool whole = cli_integer(text, &threads);
    if (!whole || threads < 1 || threads > 256)
        return cli_wrong(syntax, "%s: expected 1 … 256, got %s%s%s", o->name, whole ? "" : "'",
                         text, whole ? "" : "'");
    *(long *)o->value = threads;
    return -1;
}

/* Stores the value at argv[*i]; moves *i over what was used. Returns -1 or an exit code. */
static int store_value(const cli_syntax *syntax, const cli_option *o, int argc, char **argv, int *i)
{
    if (o->kind == CLI_FLAG) {
        *(bool *)o->value = true;
        return -1;
    }
    if (*i + 1 >= argc || (o->kind == CLI_LIST && looks_like_option(argv[*i + 1])))
        return cli_wrong(syntax, "%s: expected %s, got nothing", o->name, o->argument);
    const char *text = argv[++*i];
    switch (o->kind) {
    case CLI_TEXT:
        *(const char **)o->value = text;
        return -1;
    case CLI_INTEGER:
        if (!cli_integer(text, o->value))
            return cli_wrong(syntax, "%s: expected a whole number, got '%s'", o->name, text);
        return -1;
    case CLI_THREADS:
        return store_threads(syntax, o, text);
    case CLI_NUMBER:
        if (!pts_number_read(text, o->value))
            return cli_wrong(syntax, "%s: expected a number, got '%s'", o->name, text);
        return -1;
    default:
        break;
    }
    cli_list *list = o->value;
    list->items[list->count++] = text;
    while (o->kind == CLI_LIST && *i + 1 < argc && !looks_like_option(argv[*i + 1]))
        list->items[list->count++] = argv[++*i];
    return -1;
}

/* Returns -1 to go on, else the exit code. */
static int parse(const cli_syntax *syntax, int argc, char **argv, cli_list *operands)
{
    bool options_end = false;
    for (int i = 1; i < argc; i++) {
        const char *text = argv[i];
        if (options_end || !looks_like_option(text)) {
            operands->items[operands->count++] = text;
            continue;
        }
        if (strcmp(text, "--") == 0) {
            options_end = true;
            continue;
        }
        if (strcmp(text, "-h") == 0 || strcmp(text, "--help") == 0) {
            print_help(syntax);
            return CLI_DONE;
        }
        const cli_option *option = find_option(syntax, text);
        if (!option)
            return cli_wrong(syntax, "no option '%s' (%s -h lists them)", text, syntax->command);
        int code = store_value(syntax, option, argc, argv, &i);
        if (code >= 0)
            return code;
    }
    return -1;
}

static bool make_lists(const cli_syntax *syntax, size_t room, cli_list *operands)
{
    operands->items = calloc(room, sizeof *operands->items);
    bool made = operands->items != NULL;
    for (size_t i = 0; i < syntax->count; i++) {
        cli_list *list = syntax->options[i].value;
        if (is_list(&syntax->options[i]))
            made &= (list->items = calloc(room, sizeof *list->items)) != NULL;
    }
    return made;
}

static void free_lists(const cli_syntax *syntax, cli_list *operands)
{
    free(operands->items);
    for (size_t i = 0; i < syntax->count; i++) {
        cli_list *list = syntax->options[i].value;
        if (is_list(&syntax->options[i])) {
            free(list->items);
            *list = (cli_list){0};
        }
    }
}

static int take_environment(const cli_syntax *syntax)
{
    pts_error err;
    const char *level = getenv("PTS_CPU");
    if (level && *level && pts_cpu_limit(level, &err) != PTS_OK)
        return cli_wrong(syntax, "PTS_CPU: %s", err.message);
    return -1;
}

int cli_run(const cli_syntax *syntax, int argc, char **argv, cli_body *run, void *user)
{
    cli_list operands = {0};
    int code = make_lists(syntax, (size_t)argc + 1, &operands)
                   ? parse(syntax, argc, argv, &operands)
                   : cli_fail(syntax, "out of memory");
    if (code < 0)
        code = take_environment(syntax);
    if (code < 0)
        code = run(syntax, &operands, user);
    free_lists(syntax, &operands);
    return code;
}

int cli_no_operands(const cli_syntax *syntax, const cli_list *operands)
{
    if (!operands->count)
        return -1;
    return cli_wrong(syntax, "expected options only, got '%s'", operands->items[0]);
}

#ifdef PTS_HAVE_JSON
void cli_print_json(json_t *value)
{
    json_dumpf(value, stdout, JSON_INDENT(1) | JSON_REAL_PRECISION(17) | JSON_ENCODE_ANY);
    putchar('\n');
    json_decref(value);
}
#endif
