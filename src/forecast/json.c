/* Answers as JSON, for the command line and the service alike. */
#include "forecast/figure.h"
#include "base/error.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"

static void set_curve(json_t *out, const pts_curve *c)
{
    json_object_set_new(out, "A", pts_json_real(c->A));
    json_object_set_new(out, "B", pts_json_real(c->B));
    json_object_set_new(out, "C", pts_json_real(c->C));
    json_object_set_new(out, "D", pts_json_real(c->D));
}

/* Releases the value. */
static pts_status print(json_t *value, char **out, pts_error *err)
{
    *out = json_dumps(value, JSON_INDENT(1) | JSON_REAL_PRECISION(17));
    json_decref(value);
    return *out ? PTS_OK : pts_fail(err, PTS_ERR_MEMORY, "out of memory");
}

static json_t *describe_plan(const pts_answer *a)
{
    json_t *out = json_object();
    json_object_set_new(out, "first", pts_json_real(a->plan.first));
    json_object_set_new(out, "probability", pts_json_real(a->plan.probability));
    json_object_set_new(out, "images", pts_json_real(a->plan.images));
    json_object_set_new(out, "rounds", pts_json_real(a->plan.rounds));
    if (a->question.cost > 0)
        json_object_set_new(out, "cost", pts_json_real(a->question.cost * a->plan.images));
    return out;
}

static json_t *describe_doubts(const pts_doubts *doubts)
{
    json_t *out = json_array();
    for (size_t i = 0; i < doubts->count; i++)
        json_array_append_new(out, pts_json_text(doubts->text[i]));
    return out;
}

static json_t *describe_labels(const pts_answer *a)
{
    if (!a->labelled)
        return json_null();
    json_t *out = json_object();
    json_object_set_new(out, "photographs", json_integer((json_int_t)a->labelled));
    json_object_set_new(out, "showing", json_integer((json_int_t)a->showing));
    json_object_set_new(out, "objects", json_integer((json_int_t)a->objects));
    return out;
}

static const char *describe_prior(const pts_answer *a)
{
    return a->labelled ? "labels" : a->from_photographs ? "photographs" : "past_curves";
}

static json_t *describe(const pts_answer *a)
{
    const pts_curve_answer *size = &a->size;
    const pts_question *q = &a->question;
    bool reached = size->status != PTS_SIZE_UNREACHABLE;
    json_t *out = json_object();
    set_curve(out, &a->posterior.curve);
    json_object_set_new(out, "target", pts_json_real(q->target));
    json_object_set_new(out, "n", reached ? pts_json_real(size->n) : json_null());
    json_object_set_new(out, "n_low", pts_json_real(size->n_low));
    json_object_set_new(out, "n_high", pts_json_real(size->n_high));
    json_object_set_new(out, "status", json_string(pts_size_status_text(size->status)));
    json_object_set_new(out, "confidence", pts_json_real(q->confidence));
    json_object_set_new(out, "probability_reachable", pts_json_real(size->probability_reachable));
    json_object_set_new(out, "encoder", *a->encoder ? pts_json_text(a->encoder) : json_null());
    json_object_set_new(out, "prior", json_string(describe_prior(a)));
    json_object_set_new(out, "uses_photographs", json_boolean(a->uses_photographs));
    json_object_set_new(out, "labels", describe_labels(a));
    json_object_set_new(out, "pilot_points",
                        json_integer((json_int_t)pts_question_pilot(q)->count));
    json_object_set_new(out, "trainer", *a->trainer ? pts_json_text(a->trainer) : json_null());
    json_object_set_new(out, "n_median", pts_json_real(size->n_median));
    json_object_set_new(out, "plateau", pts_json_real(size->plateau));
    json_object_set_new(out, "plateau_error", pts_json_real(size->plateau_error));
    json_object_set_new(out, "laplace_agrees", json_boolean(size->laplace_agrees));
    json_object_set_new(out, "next_size",
                        pts_answer_has_next(a) ? pts_json_real(a->next) : json_null());
    if (q->cost > 0)
        json_object_set_new(out, "cost", pts_json_real(q->cost * ceil(size->n)));
    if (q->rounds > 0)
        json_object_set_new(out, "plan", describe_plan(a));
    if (a->doubts.count > 0)
        json_object_set_new(out, "caveats", describe_doubts(&a->doubts));
    return out;
}

enum { TARGETS = 99 };

typedef struct target_table {
    double target[TARGETS], n[TARGETS], low[TARGETS], high[TARGETS], reachable[TARGETS];
} target_table;

/* The answer for every target, so that a slider needs no further question. */
static pts_status ask_all(const pts_answer *a, target_table *t, pts_error *err)
{
    for (size_t i = 0; i < TARGETS; i++) {
        pts_curve_answer one;
        t->target[i] = (double)(i + 1) / 100;
        PTS_TRY(pts_curve_ask(&a->posterior, t->target[i], a->question.confidence, &one, err));
        t->n[i] = one.n;
        t->low[i] = one.n_low;
        t->high[i] = one.n_high;
        t->reachable[i] = one.probability_reachable;
    }
    return PTS_OK;
}

static pts_status set_detail(json_t *out, const pts_answer *a, pts_error *err)
{
    pts_answer_samples s;
    target_table t;
    PTS_TRY(pts_answer_sample(a, &s, err));
    PTS_TRY(ask_all(a, &t, err));
    json_t *d = json_object();
    json_object_set_new(d, "n", pts_json_reals(s.n, PTS_ANSWER_SAMPLES));
    json_object_set_new(d, "curve", pts_json_reals(s.curve, PTS_ANSWER_SAMPLES));
    json_object_set_new(d, "low", pts_json_reals(s.low, PTS_ANSWER_SAMPLES));
    json_object_set_new(d, "high", pts_json_reals(s.high, PTS_ANSWER_SAMPLES));
    json_object_set_new(d, "before", pts_json_reals(s.before, PTS_ANSWER_SAMPLES));
    json_object_set_new(d, "targets", pts_json_reals(t.target, TARGETS));
    json_object_set_new(d, "sizes", pts_json_reals(t.n, TARGETS));
    json_object_set_new(d, "sizes_low", pts_json_reals(t.low, TARGETS));
    json_object_set_new(d, "sizes_high", pts_json_reals(t.high, TARGETS));
    json_object_set_new(d, "reachable", pts_json_reals(t.reachable, TARGETS));
    const pts_curve_points *pilot = pts_question_pilot(&a->question);
    json_object_set_new(d, "pilot_n", pts_json_reals(pilot->n, pilot->count));
    json_object_set_new(d, "pilot_map", pts_json_reals(pilot->map, pilot->count));
    json_object_set_new(out, "detail", d);
    return PTS_OK;
}

pts_status pts_answer_json(const pts_answer *answer, int flags, char **json, pts_error *err)
{
    *json = NULL;
    json_t *out = describe(answer);
    pts_status status = flags & PTS_ANSWER_DETAIL ? set_detail(out, answer, err) : PTS_OK;
    if (status != PTS_OK) {
        json_decref(out);
        return status;
    }
    return print(out, json, err);
}

pts_status pts_study_answer_json(const pts_study_answer *a, char **json, pts_error *err)
{
    json_t *out = json_object();
    json_object_set_new(out, "mode", json_string("ptssp"));
    set_curve(out, &a->curve);
    json_object_set_new(out, "target", pts_json_real(a->target));
    json_object_set_new(out, "n",
                        a->status == PTS_SIZE_UNREACHABLE ? json_null() : pts_json_real(a->n));
    json_object_set_new(out, "status", json_string(pts_size_status_text(a->status)));
    return print(out, json, err);
}

pts_status pts_curve_reply_json(const pts_curve_reply *r, char **json, pts_error *err)
{
    json_t *out = json_object();
    set_curve(out, &r->curve);
    if (r->has_at) {
        json_object_set_new(out, "at", pts_json_real(r->at));
        json_object_set_new(out, "map", pts_json_real(r->map));
    } else {
        json_object_set_new(out, "target", pts_json_real(r->target));
        json_object_set_new(out, "n", pts_json_real(r->n));
        json_object_set_new(out, "status", json_string(pts_size_status_text(r->status)));
    }
    return print(out, json, err);
}
