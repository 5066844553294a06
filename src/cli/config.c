#include "cli/config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct arguments {
    const cli_syntax *syntax;
    const char *path;
    char **items;
    size_t count, room;
} arguments;

static bool push(arguments *a, const char *text)
{
    if (a->count == a->room) {
        size_t room = 2 * a->room + 16;
        char **items = realloc(a->items, room * sizeof *items);
        if (!items)
            return false;
        a->items = items;
        a->room = room;
    }
    a->items[a->count] = strdup(text);
    return a->items[a->count++] != NULL;
}

static bool push_value(arguments *a, const json_t *value)
{
    char number[64];
    if (json_is_string(value))
        return push(a, json_string_value(value));
    if (json_is_integer(value))
        snprintf(number, sizeof number, "%lld", (long long)json_integer_value(value));
    else
        snprintf(number, sizeof number, "%.17g", json_real_value(value));
    return push(a, number);
}

static const cli_option *find_key(const cli_syntax *syntax, const char *key)
{
    for (size_t i = 0; i < syntax->count; i++)
        if (strcmp(syntax->options[i].name + 2, key) == 0 && strcmp(key, "config") != 0)
            return &syntax->options[i];
    return NULL;
}

static const char *kind_expected(const cli_option *o, const json_t *value)
{
    const json_t *item;
    size_t i;
    switch (o->kind) {
    case CLI_FLAG:
        return json_is_boolean(value) ? NULL : "true or false";
    case CLI_TEXT:
        return json_is_string(value) ? NULL : "a string";
    case CLI_INTEGER:
    case CLI_THREADS:
        return json_is_integer(value) ? NULL : "a whole number";
    case CLI_NUMBER:
        return json_is_number(value) ? NULL : "a number";
    default:
        break;
    }
    if (!json_is_array(value) || json_array_size(value) == 0)
        return "a list of strings";
    json_array_foreach((json_t *)(uintptr_t)value, i,
                       item) if (!json_is_string(item)) return "a list of strings";
    return NULL;
}

static bool push_option(arguments *a, const cli_option *o, const json_t *value)
{
    const json_t *item;
    size_t i;
    if (json_is_false(value))
        return true;
    if (!push(a, o->name))
        return false;
    if (json_is_true(value))
        return true;
    if (!json_is_array(value))
        return push_value(a, value);
    json_array_foreach((json_t *)(uintptr_t)value, i,
                       item) if ((i > 0 && o->kind == CLI_TEXTS && !push(a, o->name)) ||
                                 !push_value(a, item)) return false;
    return true;
}

/* -1 to go on, else the exit code. */
static int push_file(arguments *a, json_t *root)
{
    const char *key;
    json_t *value;
    if (!json_is_object(root))
        return cli_wrong(a->syntax, "%s: expected an object of options, got another value",
                         a->path);
    json_object_foreach(root, key, value)
    {
        const cli_option *o = find_key(a->syntax, key);
        if (!o)
            return cli_wrong(a->syntax, "%s: unknown key '%s' (%s -h lists the options)", a->path,
                             key, a->syntax->command);
        const char *expected = kind_expected(o, value);
        if (expected)
            return cli_wrong(a->syntax, "%s: %s: expected %s", a->path, key, expected);
        if (!push_option(a, o, value))
            return cli_fail(a->syntax, "out of memory");
    }
    return -1;
}

static int read_file(arguments *a)
{
    json_error_t error;
    json_t *root = json_load_file(a->path, JSON_REJECT_DUPLICATES, &error);
    if (!root)
        return cli_fail(a->syntax, "%s: line %d: %s", a->path, error.line, error.text);
    int code = push_file(a, root);
    json_decref(root);
    return code;
}

static const char *find_config(int argc, char **argv)
{
    for (int i = 1; i + 1 < argc && strcmp(argv[i], "--") != 0; i++)
        if (strcmp(argv[i], "--config") == 0)
            return argv[i + 1];
    return NULL;
}

int cli_run_config(const cli_syntax *syntax, int argc, char **argv, cli_body *run, void *user)
{
    arguments a = {.syntax = syntax, .path = find_config(argc, argv)};
    if (!a.path)
        return cli_run(syntax, argc, argv, run, user);
    int code = push(&a, argv[0]) ? read_file(&a) : cli_fail(syntax, "out of memory");
    for (int i = 1; code < 0 && i < argc; i++)
        if (!push(&a, argv[i]))
            code = cli_fail(syntax, "out of memory");
    if (code < 0)
        code = cli_run(syntax, (int)a.count, a.items, run, user);
    for (size_t i = 0; i < a.count; i++)
        free(a.items[i]);
    free(a.items);
    return code;
}

/* ---- the way back ---- */

static json_t *list_value(const cli_list *list)
{
    json_t *array = json_array();
    for (size_t i = 0; i < list->count; i++)
        json_array_append_new(array, pts_json_text(list->items[i]));
    return array;
}

/* NULL where it is not set. */
static json_t *option_value(const cli_option *o)
{
    switch (o->kind) {
    case CLI_FLAG:
        return json_boolean(*(const bool *)o->value);
    case CLI_TEXT:
        return *(const char **)o->value ? pts_json_text(*(const char **)o->value) : NULL;
    case CLI_INTEGER:
    case CLI_THREADS:
        return json_integer(*(const long *)o->value);
    case CLI_NUMBER:
        return pts_json_real(*(const double *)o->value);
    default:
        return ((const cli_list *)o->value)->count ? list_value(o->value) : NULL;
    }
}

static bool is_in(const char *name, const char *const *names)
{
    for (; *names; names++)
        if (strcmp(name, *names) == 0)
            return true;
    return false;
}

char *cli_config_text(const cli_syntax *syntax, const char *const *skip)
{
    json_t *object = json_object();
    for (size_t i = 0; i < syntax->count; i++) {
        const cli_option *o = &syntax->options[i];
        json_t *value = is_in(o->name + 2, skip) ? NULL : option_value(o);
        if (value)
            json_object_set_new(object, o->name + 2, value);
    }
    char *text = json_dumps(object, JSON_COMPACT | JSON_SORT_KEYS);
    json_decref(object);
    return text;
}
