/* Prometheus text, version 0.0.4. */
#include "web/metrics.h"
#include "web/app.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static const int statuses[WEB_STATUSES] = {200, 304, 400, 401, 403, 404, 405, 408,
                                           413, 415, 422, 431, 500, 503, 0};
static const double bounds[WEB_BUCKETS - 1] = {0.001, 0.002, 0.005, 0.01, 0.02, 0.05,
                                               0.1,   0.2,   0.5,   1,    2,    5};

static size_t status_index(int status)
{
    size_t i = 0;
    while (statuses[i] && statuses[i] != status)
        i++;
    return i;
}

static size_t bucket_index(double seconds)
{
    size_t i = 0;
    while (i < WEB_BUCKETS - 1 && seconds > bounds[i])
        i++;
    return i;
}

void pts_web_metrics_note(web_metrics *m, size_t route, int status, double seconds, size_t received,
                          size_t sent)
{
    atomic_fetch_add(&m->requests[route][status_index(status)], 1);
    atomic_fetch_add(&m->buckets[route][bucket_index(seconds)], 1);
    atomic_fetch_add(&m->microseconds[route], (unsigned long)(seconds * 1e6));
    atomic_fetch_add(&m->received, received);
    atomic_fetch_add(&m->sent, sent);
}

static void head(FILE *out, const char *name, const char *type, const char *help)
{
    fprintf(out, "# HELP pts_%s %s\n# TYPE pts_%s %s\n", name, help, name, type);
}

static void number(FILE *out, const char *name, const char *type, const char *help, double value)
{
    head(out, name, type, help);
    fprintf(out, "pts_%s %.17g\n", name, value);
}

static void write_requests(FILE *out, web_metrics *m)
{
    const char *name;
    head(out, "http_requests_total", "counter", "Requests answered.");
    for (size_t r = 0; (name = pts_web_route_name(r)); r++) {
        for (size_t s = 0; s < WEB_STATUSES; s++) {
            unsigned long count = atomic_load(&m->requests[r][s]);
            if (count && statuses[s])
                fprintf(out, "pts_http_requests_total{path=\"%s\",status=\"%d\"} %lu\n", name,
                        statuses[s], count);
            else if (count)
                fprintf(out, "pts_http_requests_total{path=\"%s\",status=\"other\"} %lu\n", name,
                        count);
        }
    }
}

static void write_durations(FILE *out, web_metrics *m)
{
    const char *name;
    static const char metric[] = "http_request_duration_seconds";
    head(out, metric, "histogram", "From the header to the last byte of the answer.");
    for (size_t r = 0; (name = pts_web_route_name(r)); r++) {
        unsigned long sum = 0;
        for (size_t b = 0; b < WEB_BUCKETS; b++) {
            sum += atomic_load(&m->buckets[r][b]);
            fprintf(out, "pts_%s_bucket{path=\"%s\",le=\"", metric, name);
            if (b < WEB_BUCKETS - 1)
                fprintf(out, "%g\"} %lu\n", bounds[b], sum);
            else
                fprintf(out, "+Inf\"} %lu\n", sum);
        }
        fprintf(out, "pts_%s_sum{path=\"%s\"} %.6f\npts_%s_count{path=\"%s\"} %lu\n", metric, name,
                1e-6 * (double)atomic_load(&m->microseconds[r]), metric, name, sum);
    }
}

/* 0 where /proc is not mounted. */
static double resident_bytes(void)
{
    unsigned long size = 0, resident = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (!file)
        return 0;
    if (fscanf(file, "%lu %lu", &size, &resident) != 2)
        resident = 0;
    fclose(file);
    return (double)resident * (double)sysconf(_SC_PAGESIZE);
}

static void write_all(FILE *out, web_app *app)
{
    web_metrics *m = &app->metrics;
    web_queue_state q = pts_web_queue_look(app->queue);
    write_requests(out, m);
    write_durations(out, m);
    number(out, "http_received_bytes_total", "counter", "Bytes of bodies read.",
           (double)atomic_load(&m->received));
    number(out, "http_sent_bytes_total", "counter", "Bytes of bodies sent.",
           (double)atomic_load(&m->sent));
    number(out, "http_connections", "gauge", "Connections open.",
           (double)atomic_load(&app->connections));
    number(out, "http_slow_clients_total", "counter", "Connections cut for being slow.",
           (double)atomic_load(&m->cut));
    number(out, "http_body_bytes", "gauge", "Bodies in memory.",
           (double)atomic_load(&app->body_bytes));
    number(out, "queue_waiting", "gauge", "Requests waiting for the encoder.", (double)q.waiting);
    number(out, "queue_capacity", "gauge", "Requests that may wait.", (double)q.capacity);
    number(out, "queue_refused_total", "counter", "Requests refused for want of a place or time.",
           (double)atomic_load(&m->refused));
    number(out, "encoder_images_total", "counter", "Photographs encoded.", (double)q.images);
    number(out, "encoder_batches_total", "counter", "Batches encoded.", (double)q.batches);
    number(out, "encoder_seconds_total", "counter", "Seconds the encoder was at work.", q.seconds);
    number(out, "reloads_total", "counter", "Reloads of the weights.",
           (double)atomic_load(&m->reloads));
    number(out, "reloads_failed_total", "counter", "Reloads that failed.",
           (double)atomic_load(&m->reloads_failed));
    number(out, "resident_memory_bytes", "gauge", "Memory of the process.", resident_bytes());
}

void pts_web_metrics_page(web_app *app, const web_request *request, web_reply *reply)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    (void)request;
    if (out)
        write_all(out, app);
    if (!out || fclose(out) != 0) {
        free(text);
        text = NULL;
    }
    pts_web_reply_text(reply, 200, "text/plain; version=0.0.4", text, size);
}
