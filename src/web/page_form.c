/* The page's form without JavaScript: the answer as a page. The words are the template's,
 * answer.LANG.html; this gives it figures. */
#include "base/memory.h"
#include "web/ask.h"
#include "web/assets.h"
#include "web/template.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { VALUES = 40, CAVEATS = 4 };

static const char *const caveat_names[CAVEATS] = {"caveat1", "caveat2", "caveat3", "caveat4"};

/* Values by name; the texts live here. */
typedef struct values {
    web_value items[VALUES];
    char texts[VALUES][40];
    size_t count;
} values;

static void set_text(values *v, const char *name, const char *text)
{
    if (v->count < VALUES)
        v->items[v->count++] = (web_value){name, text};
}

__attribute__((format(printf, 3, 0))) static void set(values *v, const char *name,
                                                      const char *format, double number)
{
    if (v->count == VALUES)
        return;
    char *text = v->texts[v->count];
    snprintf(text, sizeof *v->texts, format, number);
    set_text(v, name, isfinite(number) ? text : "");
}

static void set_flag(values *v, const char *name, bool flag)
{
    set_text(v, name, flag ? "1" : "");
}

/* Whole images; past a billion the digits mean nothing. */
static void set_size(values *v, const char *name, double n)
{
    set(v, name, "%.0f", n > 1e9 ? INFINITY : ceil(fmax(n, 1)));
}

static void set_curve(values *v, const pts_curve *c)
{
    set(v, "A", "%.4f", c->A);
    set(v, "B", "%.4f", c->B);
    set(v, "C", "%.4g", c->C);
    set(v, "D", "%.4f", c->D);
}

static void set_status(values *v, pts_size_status status)
{
    set_flag(v, "ok", status == PTS_SIZE_OK);
    set_flag(v, "already_met", status == PTS_SIZE_ALREADY_MET);
    set_flag(v, "unreachable", status == PTS_SIZE_UNREACHABLE);
}

static void set_answer(values *v, const pts_answer *a)
{
    const pts_question *q = &a->question;
    set_status(v, a->size.status);
    set_curve(v, &a->posterior.curve);
    set(v, "target", "%g", q->target);
    set(v, "confidence", "%g", 100 * q->confidence);
    set_size(v, "n", a->size.n);
    set_size(v, "n_low", a->size.n_low);
    set_size(v, "n_high", a->size.n_high);
    set(v, "plateau", "%.2f", a->size.plateau);
    set(v, "plateau_error", "%.2f", a->size.plateau_error);
    set(v, "start", "%.2f", pts_curve_at(&a->posterior.curve, 1));
    set(v, "reachable", "%.0f", 100 * a->size.probability_reachable);
    set(v, "next_size", "%.0f", pts_answer_has_next(a) ? a->next : INFINITY);
    set(v, "cost", "%.6g", q->cost > 0 ? q->cost * ceil(a->size.n) : INFINITY);
    const size_t points = pts_question_pilot(q)->count;
    set(v, "pilot_points", "%.0f", points ? (double)points : INFINITY);
    for (size_t i = 0; i < a->doubts.count && i < CAVEATS; i++)
        set_text(v, caveat_names[i], a->doubts.text[i]);
    set_text(v, "encoder", a->from_photographs ? a->encoder : "");
    set_flag(v, "labels", a->labelled > 0);
    set_flag(v, "past", !a->labelled && !a->from_photographs);
    set_text(v, "trainer", a->trainer);
}

static void set_study(values *v, const pts_study_answer *a)
{
    set_flag(v, "study", true);
    set_status(v, a->status);
    set_curve(v, &a->curve);
    set(v, "target", "%g", a->target);
    set_size(v, "n", a->n);
}

static void write_base64(char *out, const char *bytes, size_t size)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < size; i += 3) {
        unsigned bits = 0;
        for (size_t k = 0; k < 3; k++)
            bits = bits << 8 | (i + k < size ? (unsigned char)bytes[i + k] : 0);
        for (size_t k = 0; k < 4; k++)
            *out++ = i + k > size ? '=' : digits[bits >> (18 - 6 * k) & 63];
    }
}

/* The figure as the source of an <img>: inside the page its style attributes would need a weaker
 * Content-Security-Policy. NULL where it cannot be drawn. */
static char *figure_source(const web_ask *ask)
{
    static const char prefix[] = "data:image/svg+xml;base64,";
    char *svg, *out;
    size_t size;
    if ((ask->study ? pts_study_answer_svg(&ask->study_answer, &svg, &size, NULL)
                    : pts_answer_svg(ask->answer, &svg, &size, NULL)) != PTS_OK)
        return NULL;
    if (pts_new(&out, sizeof prefix + (size + 2) / 3 * 4, 1, NULL) == PTS_OK)
        write_base64(stpcpy(out, prefix), svg, size);
    free(svg);
    return out;
}

static const web_asset *find_template(const web_form *form, const char **language)
{
    static const char *const languages[] = {"en", "ru"};
    const char *asked = pts_web_form_value(form, "lang");
    char name[32];
    *language = languages[0];
    for (size_t i = 0; i < sizeof languages / sizeof *languages; i++) {
        if (asked && strcmp(asked, languages[i]) == 0)
            *language = languages[i];
    }
    snprintf(name, sizeof name, "answer.%s.html", *language);
    return pts_web_asset_find(name);
}

static void render(const web_form *form, int status, const values *v, web_reply *reply)
{
    char *html = NULL;
    size_t size = 0;
    const web_asset *page = find_template(form, &reply->language);
    FILE *out = open_memstream(&html, &size);
    bool done = out && pts_web_template_write(out, (const char *)page->data, page->size, v->items,
                                              v->count);
    if (!out || fclose(out) != 0 || !done) {
        free(html);
        html = NULL;
    }
    pts_web_reply_text(reply, status, "text/html; charset=utf-8", html, size);
}

static bool check_token(const web_app *app, const web_form *form, const web_request *request,
                        web_error *e)
{
    const char *field = pts_web_form_value(form, "token");
    if (pts_web_token_matches(app, field ? field : "") || pts_web_bearer_matches(app, request))
        return true;
    return pts_web_fail(e, 401, "token", "token: expected the service's token");
}

void pts_web_page_form(web_app *app, const web_request *request, web_reply *reply)
{
    web_ask ask;
    web_error e = {.status = 200};
    values v = {.count = 0};
    char *figure = NULL;
    bool done = pts_web_ask_read(app, request, &ask, &e) &&
                check_token(app, &ask.form, request, &e) && pts_web_ask_answer(app, &ask, &e);
    if (done) {
        figure = figure_source(&ask);
        if (ask.study)
            set_study(&v, &ask.study_answer);
        else
            set_answer(&v, ask.answer);
        set_text(&v, "figure", figure);
    } else {
        set_text(&v, "error", e.message);
        set_text(&v, "field", e.field);
        reply->retry_after = e.retry_after;
    }
    render(&ask.form, e.status, &v, reply);
    free(figure);
    pts_web_ask_free(&ask);
}
