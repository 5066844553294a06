/* Does the process that took a job still live? */
#include "store/store.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* The first line of a small file of /proc, "" where there is none. */
static void read_line(const char *path, char *text, size_t size)
{
    text[0] = '\0';
    FILE *file = fopen(path, "r");
    if (!file)
        return;
    if (!fgets(text, (int)size, file))
        text[0] = '\0';
    text[strcspn(text, "\n")] = '\0';
    fclose(file);
}

/* When a process was started, in clock ticks after the machine (proc(5): field 22); −1 where it is
 * not there, or has ended and only waits for its parent. */
static int64_t start_of(int64_t process)
{
    char path[64], text[1024];
    snprintf(path, sizeof path, "/proc/%" PRId64 "/stat", process);
    read_line(path, text, sizeof text);
    const char *at = strrchr(text, ')'); /* its name in brackets may hold anything */
    char state;
    long long start;
    if (!at || sscanf(at + 1, " %c%*s%*s%*s%*s%*s%*s%*s%*s%*s%*s%*s%*s%*s%*s%*s%*s%*s%*s%lld",
                      &state, &start) != 2)
        return -1;
    return state == 'Z' || state == 'X' ? -1 : start;
}

void pts_store_holder_self(store_holder *out)
{
    *out = (store_holder){.process = getpid()};
    if (gethostname(out->host, sizeof out->host - 1) != 0)
        out->host[0] = '\0';
    char boot[64], space[48];
    read_line("/proc/sys/kernel/random/boot_id", boot, sizeof boot);
    ssize_t length = readlink("/proc/self/ns/pid", space, sizeof space - 1);
    space[length > 0 ? length : 0] = '\0';
    out->process_start = start_of(out->process);
    if (boot[0] && space[0] && out->process_start >= 0)
        snprintf(out->boot, sizeof out->boot, "%s %s", boot, space);
}

/* The first words, which name the start of the machine. */
static bool same_start(const char *a, const char *b)
{
    size_t length = strcspn(a, " ");
    return length == strcspn(b, " ") && memcmp(a, b, length) == 0;
}

store_life pts_store_holder_life(const store_holder *self, const store_holder *other, bool network)
{
    if (!self->boot[0] || !other->boot[0] || strcmp(self->host, other->host) != 0)
        return STORE_ELSEWHERE;
    /* A disk of this host's, and the host was started anew: with all that ran on it gone. */
    if (!network && !same_start(self->boot, other->boot))
        return STORE_GONE;
    if (strcmp(self->boot, other->boot) != 0)
        return STORE_ELSEWHERE;
    return start_of(other->process) == other->process_start ? STORE_LIVES : STORE_GONE;
}
