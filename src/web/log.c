#include "web/log.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

/* What is not printable ASCII becomes \xNN, so that nobody writes lines of his own into the log. */
static void escape(char *out, size_t size, const char *text)
{
    size_t used = 0;
    for (; *text && used + 5 < size; text++) {
        unsigned char c = (unsigned char)*text;
        if (c > 0x20 && c < 0x7F && c != '\\')
            out[used++] = (char)c;
        else
            used += (size_t)snprintf(out + used, size - used, "\\x%02X", c);
    }
    out[used] = '\0';
}

void pts_web_log_request(const pts_web_options *options, const web_log_entry *e)
{
    char line[512], method[32], path[256], when[32], status[16] = "-";
    struct tm parts;
    time_t now = time(NULL);
    if (!options->log)
        return;
    strftime(when, sizeof when, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&now, &parts));
    escape(method, sizeof method, e->method);
    escape(path, sizeof path, e->path);
    if (e->status)
        snprintf(status, sizeof status, "%d", e->status);
    snprintf(line, sizeof line, "%s %s %s %s %.1f ms %zu in %zu out", when, method, path, status,
             1e3 * e->seconds, e->received, e->sent);
    options->log(options->user, line);
}
