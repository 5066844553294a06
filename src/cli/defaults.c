#define _GNU_SOURCE
#include "cli/defaults.h"

#include "base/order.h"

#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PLACES = 3, FOLDER_ROOM = 4096, NAMES = 64 };

typedef struct places {
    char folders[PLACES][FOLDER_ROOM];
    size_t count;
    size_t last_resort; /* the folder that is named where a file is in none */
} places;

static void add_place(places *p, const char *folder)
{
    for (size_t i = 0; i < p->count; i++) {
        if (strcmp(p->folders[i], folder) == 0)
            return;
    }
    snprintf(p->folders[p->count++], FOLDER_ROOM, "%s", folder);
}

/* The folder of this program; "" where the system does not say. */
static void find_program(char *folder, size_t size)
{
    ssize_t length = readlink("/proc/self/exe", folder, size - 1);
    folder[length > 0 ? length : 0] = '\0';
    char *slash = strrchr(folder, '/');
    folder[slash ? slash - folder : 0] = '\0';
}

/* The source tree is for programs that run in their build folder, wherever that is: an installed
 * one must not look into a path of the machine that built it. */
static void list_places(places *p)
{
    char program[FOLDER_ROOM - 16], beside[FOLDER_ROOM];
    const char *own = getenv("PTS_WEIGHTS");
    *p = (places){.count = 0};
    if (own && *own) {
        add_place(p, own);
        return;
    }
    find_program(program, sizeof program);
    const bool built_here = strcmp(program, cli_build_folder) == 0;
    char *slash = strrchr(program, '/');
    if (slash) {
        snprintf(beside, sizeof beside, "%.*s/weights", (int)(slash - program), program);
        add_place(p, beside);
    }
    p->last_resort = p->count;
    add_place(p, PTS_WEIGHTS_DIR);
    if (built_here)
        add_place(p, cli_source_weights);
}

const char *cli_default_file(const char *name, char *path, size_t size)
{
    places p;
    list_places(&p);
    for (size_t i = 0; i < p.count; i++) {
        int used = snprintf(path, size, "%s/%s", p.folders[i], name);
        if (used > 0 && (size_t)used < size && access(path, R_OK) == 0)
            return path;
    }
    snprintf(path, size, "%s/%s", p.folders[p.last_resort], name);
    return path;
}

const char *cli_default_encoder(const char *asked, char *path, size_t size)
{
    return asked ? asked : cli_default_file("inception_v3.ptsw", path, size);
}

/* Adds what stands for * in the folder's files BEFORE*AFTER. */
static void collect_names(const char *folder, const char *before, const char *after,
                          char *names[NAMES], size_t *count)
{
    DIR *files = opendir(folder);
    const size_t head = strlen(before), tail = strlen(after);
    struct dirent *entry;
    while (files && (entry = readdir(files)) && *count < NAMES) {
        size_t length = strlen(entry->d_name);
        if (length <= head + tail || strncmp(entry->d_name, before, head) != 0 ||
            strcmp(entry->d_name + length - tail, after) != 0)
            continue;
        char *name = strndup(entry->d_name + head, length - head - tail);
        if (name)
            names[(*count)++] = name;
    }
    if (files)
        closedir(files);
}

void cli_default_names(const char *before, const char *after, char *text, size_t size)
{
    places p;
    char *names[NAMES];
    size_t count = 0;
    list_places(&p);
    for (size_t i = 0; i < p.count; i++)
        collect_names(p.folders[i], before, after, names, &count);
    qsort(names, count, sizeof *names, pts_compare_texts);
    *text = '\0';
    for (size_t i = 0, used = 0; i < count; i++) {
        if ((i == 0 || strcmp(names[i], names[i - 1]) != 0) && used < size)
            used += (size_t)snprintf(text + used, size - used, "%s%s", used ? ", " : "", names[i]);
    }
    for (size_t i = 0; i < count; i++)
        free(names[i]);
}

/* "looked in A, B and C". */
static void say_places(const places *p, char *text, size_t size)
{
    size_t used = (size_t)snprintf(text, size, "looked in ");
    for (size_t i = 0; i < p->count && used < size; i++) {
        const char *joint = i == 0 ? "" : i + 1 < p->count ? ", " : " and ";
        used += (size_t)snprintf(text + used, size - used, "%s%s", joint, p->folders[i]);
    }
}

void cli_default_note(const char *message, char *note, size_t size)
{
    places p;
    char searched[(PLACES + 1) * FOLDER_ROOM], names[512];
    const char *end = strstr(message, ": No such file or directory"), *name = end;
    *note = '\0';
    while (name && name > message && name[-1] != '/')
        name--;
    list_places(&p);
    const size_t length = strlen(p.folders[p.last_resort]);
    if (!name || (size_t)(name - message) < length + 1 ||
        strncmp(name - length - 1, p.folders[p.last_resort], length) != 0)
        return;
    cli_default_names("prior-", ".txt", names, sizeof names);
    say_places(&p, searched, sizeof searched);
    if (strncmp(name, "prior-", 6) == 0 && *names)
        snprintf(note, size, " (there are: %s)", names);
    else if (p.count > 1)
        snprintf(note, size, " (%s; %s)", searched,
                 strncmp(name, "head-", 5) == 0 || strncmp(name, "prior-", 6) == 0
                     ? "the source has it in weights/"
                     : "tools/fetch-weights gets it");
}
