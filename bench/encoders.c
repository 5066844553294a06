/* The encoder of the weights file: batches in total, and one image layer by layer. */
#include "encoder_input.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PROFILE_RUNS = 11, MOST_STEPS = 1024, STEP_NAME = 72 };

typedef struct step {
    char name[STEP_NAME], method[32];
    double flops, seconds[PROFILE_RUNS];
} step;

typedef struct profile {
    step *steps; /* [MOST_STEPS], in network order */
    size_t count, at;
    int run; /* -1: the warm-up */
} profile;

static void note_step(void *user, const pts_encoder_step *seen)
{
    profile *p = user;
    size_t i = p->at++;
    if (p->run < 0 || i >= MOST_STEPS)
        return;
    step *s = &p->steps[i];
    snprintf(s->name, sizeof s->name, "%s", seen->name);
    snprintf(s->method, sizeof s->method, "%s", seen->method);
    s->flops = seen->flops;
    s->seconds[p->run] = seen->seconds;
    p->count = p->at;
}

/* Medians step by step, left in seconds[0]; then steps of one name and method become one. */
static void condense(profile *p)
{
    size_t kept = 0;
    for (size_t i = 0; i < p->count; i++) {
        step *s = &p->steps[i], *same = p->steps;
        s->seconds[0] = bench_median(s->seconds, PROFILE_RUNS);
        while (same < p->steps + kept &&
               (strcmp(same->name, s->name) != 0 || strcmp(same->method, s->method) != 0))
            same++;
        if (same == p->steps + kept) {
            p->steps[kept++] = *s;
        } else {
            same->flops += s->flops;
            same->seconds[0] += s->seconds[0];
        }
    }
    p->count = kept;
}

static pts_status take_profile(bench *b, bench_encoder *e, profile *p)
{
    for (p->run = -1; p->run < PROFILE_RUNS; p->run++) {
        p->at = 0;
        PTS_TRY(pts_encoder_profile(e->encoder, e->images, note_step, p, &b->err));
        if (p->at > MOST_STEPS)
            return pts_fail(&b->err, PTS_ERR_LIMIT, "%s: %zu steps, more than %d", b->encoder_path,
                            p->at, MOST_STEPS);
    }
    condense(p);
    return PTS_OK;
}

#ifdef PTS_HAVE_JSON
static void add_step(bench *b, const step *s)
{
    json_t *line = json_pack("{ss ss sf}", "name", s->name, "method", s->method, "median_ms",
                             s->seconds[0] * 1e3);
    if (s->flops > 0) {
        double rate = s->flops / s->seconds[0];
        json_object_set_new(line, "gflops", pts_json_real(rate * 1e-9));
        json_object_set_new(line, "percent_of_peak", pts_json_real(bench_percent(b, rate)));
    }
    json_array_append_new(b->steps, line);
}
#endif

static void print_step(const bench *b, const step *s)
{
    printf("%-34s %-22s %9.3f", s->name, s->method, s->seconds[0] * 1e3);
    if (s->flops > 0) {
        double rate = s->flops / s->seconds[0];
        printf(" %9.1f %7.1f\n", rate * 1e-9, bench_percent(b, rate));
    } else {
        printf(" %9s %7s\n", "-", "-");
    }
}

static void report_layers(bench *b, const profile *p)
{
#ifdef PTS_HAVE_JSON
    if (b->json) {
        for (size_t i = 0; i < p->count; i++)
            add_step(b, &p->steps[i]);
        return;
    }
#endif
    step sum = {.name = "sum of the steps"};
    printf("\n%-34s %-22s %9s %9s %7s\n", "layer, batch 1", "method", "median ms", "GFLOP/s",
           "% peak");
    for (size_t i = 0; i < p->count; i++) {
        print_step(b, &p->steps[i]);
        sum.flops += p->steps[i].flops;
        sum.seconds[0] += p->steps[i].seconds[0];
    }
    print_step(b, &sum);
}

static pts_status bench_layers(bench *b, bench_encoder *e)
{
    profile p = {.steps = NULL};
    PTS_TRY(pts_new(&p.steps, MOST_STEPS, sizeof *p.steps, &b->err));
    pts_status status = take_profile(b, e, &p);
    if (status == PTS_OK)
        report_layers(b, &p);
    free(p.steps);
    return status;
}

static pts_status bench_batch(bench *b, bench_encoder *e, size_t count)
{
    char name[64];
    snprintf(name, sizeof name, "encoder %s, batch %zu", pts_encoder_arch(e->encoder), count);
    PTS_TRY(bench_encoder_fill(b, e, count));
    double flops = pts_encoder_flops(e->encoder) * (double)count;
    return bench_measure(b, name, flops, bench_embed, e);
}

static pts_status time_encoder(bench *b, bench_encoder *e)
{
    PTS_TRY(bench_encoder_open(b, e));
    PTS_TRY(bench_batch(b, e, 1));
    PTS_TRY(bench_batch(b, e, 4));
    return b->layers ? bench_layers(b, e) : PTS_OK;
}

pts_status bench_encoders(bench *b)
{
    bench_encoder e;
    pts_status status = time_encoder(b, &e);
    bench_encoder_close(&e);
    return status;
}
