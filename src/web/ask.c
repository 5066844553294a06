#include "web/ask.h"

#include "base/error.h"
#include "base/memory.h"
#include "base/text.h"
#ifdef PTS_HAVE_STUDY
#include "pts/study.h"
#endif

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* ---- fields ---- */

/* One for each photograph, as text or as a file. */
static bool is_labels(const web_part *p)
{
    return strcmp(p->name, "labels") == 0;
}

static bool check_names(const web_form *form, web_error *e)
{
    static const char *const known[] = {
        "target", "confidence", "pilot", "cost_per_image", "prior",  "mode",  "encoder", "rounds",
        "tau",    "detail",     "token", "lang",           "labels", "class", NULL};
    return pts_web_form_check(form, &(web_fields){known, "labels", true}, e);
}

static bool read_number(const web_form *form, const char *name, double *value, web_error *e)
{
    const char *text = pts_web_form_value(form, name);
    if (!text || pts_number_read(text, value))
        return true;
    return pts_web_fail(e, 400, name, "%s: expected a number, got '%.60s'", name, text);
}

static bool read_whole(const web_form *form, const char *name, long *value, web_error *e)
{
    const char *text = pts_web_form_value(form, name);
    double number = 0;
    if (!text)
        return true;
    if (!pts_number_read(text, &number) || number < -1e6 || number > 1e6 ||
        number != (double)(long)number)
        return pts_web_fail(e, 400, name, "%s: expected a whole number, got '%.60s'", name, text);
    *value = (long)number;
    return true;
}

static bool read_target(web_ask *ask, web_error *e)
{
    pts_error err;
    bool percent;
    const char *text = pts_web_form_value(&ask->form, "target");
    if (!text)
        return pts_web_fail(e, 400, "target", "expected target, the wanted mAP");
    if (pts_target_read(text, &ask->question.target, &percent, &err) == PTS_OK)
        return true;
    return pts_web_fail(e, 400, "target", "target: %s", err.message);
}

static bool read_numbers(web_ask *ask, web_error *e)
{
    pts_error err;
    const char *field;
    pts_question *q = &ask->question;
    if (!read_number(&ask->form, "confidence", &q->confidence, e) ||
        !read_number(&ask->form, "cost_per_image", &q->cost, e) ||
        !read_number(&ask->form, "tau", &q->tau, e) ||
        !read_whole(&ask->form, "rounds", &q->rounds, e))
        return false;
    if (pts_question_check(q, &field, &err) == PTS_OK)
        return true;
    return pts_web_fail(e, 400, field, "%s: %s", field, err.message);
}

/* Some 50,000 results: more take seconds. */
enum { PILOT_BYTES = 500000 };

static bool read_pilot(web_ask *ask, web_error *e)
{
    pts_error err;
    const char *text = pts_web_form_value(&ask->form, "pilot");
    if (!text || !text[strspn(text, " \t\r\n")])
        return true;
    if (strlen(text) > PILOT_BYTES)
        return pts_web_fail(e, 413, "pilot", "pilot: expected at most %d bytes, got %zu",
                            PILOT_BYTES, strlen(text));
    pts_status status = pts_pilot_parse(&ask->pilot, "pilot", text, strlen(text), &err);
    if (status != PTS_OK)
        return pts_web_fail_status(e, status, "pilot", &err);
    ask->question.pilot = ask->pilot;
    return true;
}

static bool read_mode(web_ask *ask, web_error *e)
{
    const char *mode = pts_web_form_value(&ask->form, "mode");
    const char *prior = pts_web_form_value(&ask->form, "prior");
    const char *detail = pts_web_form_value(&ask->form, "detail");
    ask->study = mode && strcmp(mode, "ptssp") == 0;
    ask->detail = detail && strcmp(detail, "1") == 0;
    ask->encoder = pts_web_form_value(&ask->form, "encoder");
    if (mode && !ask->study && strcmp(mode, "pts") != 0)
        return pts_web_fail(e, 400, "mode", "mode: expected pts or ptssp, got '%.60s'", mode);
    if (detail && !ask->detail && strcmp(detail, "0") != 0)
        return pts_web_fail(e, 400, "detail", "detail: expected 0 or 1, got '%.60s'", detail);
    if (ask->study && (ask->pilot || prior))
        return pts_web_fail(e, 400, prior ? "prior" : "pilot",
                            "%s: expected none with mode ptssp, which cannot use it",
                            prior ? "prior" : "pilot");
    ask->prior = prior;
    return true;
}

/* ---- photographs ---- */

static const char *magic_type(const char *data, size_t size)
{
    if (size >= 3 && memcmp(data, "\xFF\xD8\xFF", 3) == 0)
        return "image/jpeg";
    if (size >= 8 && memcmp(data, "\x89PNG\r\n\x1A\n", 8) == 0)
        return "image/png";
    if (size >= 2 && memcmp(data, "BM", 2) == 0)
        return "image/bmp";
    return NULL;
}

/* What a client may call these bytes; many call everything octet-stream. */
static bool is_called(const char *type, const char *claim)
{
    if (!*claim || pts_web_type_is(claim, "application/octet-stream") ||
        pts_web_type_is(claim, type))
        return true;
    if (strcmp(type, "image/jpeg") == 0)
        return pts_web_type_is(claim, "image/jpg") || pts_web_type_is(claim, "image/pjpeg");
    return strcmp(type, "image/bmp") == 0 &&
           (pts_web_type_is(claim, "image/x-ms-bmp") || pts_web_type_is(claim, "image/x-bmp"));
}

static bool check_image(const web_app *app, const web_part *p, web_error *e)
{
    const char *type = magic_type(p->value, p->size);
    if (p->size > app->options->image_bytes)
        return pts_web_fail(e, 413, "images", "%.100s: expected at most %zu bytes, got %zu",
                            p->filename, app->options->image_bytes, p->size);
    if (!type)
        return pts_web_fail(e, 415, "images", "%.100s: expected a JPEG, PNG or BMP image",
                            p->filename);
    if (!is_called(type, p->type))
        return pts_web_fail(e, 415, "images",
                            "%.100s: expected %s as its first bytes say, got %.60s", p->filename,
                            type, p->type);
    return true;
}

/* Browsers send an empty part without a name where no file was chosen. */
static bool is_image(const web_part *p)
{
    return p->filename && !is_labels(p) && (p->size || *p->filename);
}

static bool read_images(const web_app *app, web_ask *ask, web_error *e)
{
    size_t count = 0;
    for (size_t i = 0; i < ask->form.count; i++)
        count += is_image(&ask->form.parts[i]);
    if (ask->prior && count > 0)
        return pts_web_fail(e, 400, "images", "expected either prior or photographs, got both");
    if (!ask->prior && count != PTS_PHOTOGRAPHS)
        return pts_web_fail(e, 400, "images", "expected %d photographs, got %zu", PTS_PHOTOGRAPHS,
                            count);
    for (size_t i = 0; i < ask->form.count; i++) {
        const web_part *p = &ask->form.parts[i];
        if (!is_image(p))
            continue;
        if (!check_image(app, p, e))
            return false;
        ask->images[ask->image_count++] =
            (pts_photograph){p->filename, (const uint8_t *)p->value, p->size};
    }
    return true;
}

/* ---- labels ---- */

enum { LABEL_BYTES = 1 << 20 };

static bool add_labels(web_ask *ask, const web_part *p, web_error *e)
{
    static const char *const names[PTS_PHOTOGRAPHS] = {"labels of image 1", "labels of image 2",
                                                       "labels of image 3", "labels of image 4"};
    if (p->size > LABEL_BYTES)
        return pts_web_fail(e, 413, "labels", "labels: expected at most %d bytes each, got %zu",
                            LABEL_BYTES, p->size);
    if (ask->label_count < PTS_PHOTOGRAPHS)
        ask->labels[ask->label_count] =
            (pts_label_file){names[ask->label_count], p->value, p->size};
    ask->label_count++;
    return true;
}

static bool read_labels(web_ask *ask, web_error *e)
{
    for (size_t i = 0; i < ask->form.count; i++)
        if (is_labels(&ask->form.parts[i]) && !add_labels(ask, &ask->form.parts[i], e))
            return false;
    if (!ask->label_count && pts_web_form_value(&ask->form, "class"))
        return pts_web_fail(e, 400, "class", "class: expected labels with it, got none");
    if (ask->label_count && (ask->prior || ask->study))
        return pts_web_fail(e, 400, "labels", "labels: expected none with %s",
                            ask->prior ? "prior" : "mode ptssp, which cannot use them");
    if (ask->label_count && ask->label_count != PTS_PHOTOGRAPHS)
        return pts_web_fail(e, 400, "labels",
                            "labels: expected %d, one an image in their order, got "
                            "%zu",
                            PTS_PHOTOGRAPHS, ask->label_count);
    return true;
}

/* ---- to embeddings ---- */

/* Why the queue did not take a request, beside the status that the library hands on. */
typedef struct turn_of {
    web_app *app;
    web_error *refused; /* status 0: it was not */
} turn_of;

static void refuse(web_app *app, web_queue_result result, web_error *e)
{
    if (result == WEB_QUEUE_FULL)
        pts_web_fail(e, 503, NULL, "the queue is full: %zu requests wait", app->options->queue);
    else if (result == WEB_QUEUE_LATE)
        pts_web_fail(e, 503, NULL, "no turn within %u s", app->options->queue_seconds);
    else
        pts_web_fail(e, 503, NULL, "the service is stopping");
    atomic_fetch_add(&app->metrics.refused, 1);
    e->retry_after = pts_web_queue_retry(app->queue);
}

static pts_status embed(void *user, const pts_model *model, const char *preset,
                        const pts_photograph *photographs, float *embeddings, pts_error *err)
{
    turn_of *t = user;
    web_turn turn = {
        .model = model, .preset = preset, .images = photographs, .embeddings = embeddings};
    web_queue_result result = pts_web_queue_run(t->app->queue, &turn);
    if (result != WEB_QUEUE_DONE) {
        refuse(t->app, result, t->refused);
        return pts_fail(err, PTS_ERR_CANCELLED, "%s", t->refused->message);
    }
    return turn.status == PTS_OK ? PTS_OK : pts_fail(err, turn.status, "%s", turn.error.message);
}

/* ---- labels ---- */

#ifdef PTS_HAVE_YAML
static pts_status sum_labels(const web_ask *ask, pts_label_sums *sums, pts_error *err)
{
    static const size_t images[PTS_PHOTOGRAPHS] = {0, 1, 2, 3};
    const char *class_name = pts_web_form_value(&ask->form, "class");
    pts_dataset *set;
    pts_status status = pts_dataset_of_labels(&set, ask->labels, PTS_PHOTOGRAPHS, err);
    if (status == PTS_OK)
        status = pts_label_sums_pick(set, images, PTS_PHOTOGRAPHS, class_name, sums, NULL, err);
    pts_dataset_close(set);
    return status;
}
#else
static pts_status sum_labels(const web_ask *ask, pts_label_sums *sums, pts_error *err)
{
    (void)ask, (void)sums;
    return pts_fail(err, PTS_ERR_UNSUPPORTED, "built without libyaml");
}
#endif

/* ---- answers ---- */

/* What the client named wrongly: the message begins with the field, but for a photograph's, which
 * begins with its name. */
static bool blame(web_error *e, pts_status status, const char *field, const pts_error *err)
{
    const bool labels = field && strcmp(field, "labels") == 0;
    if (labels && status == PTS_ERR_UNSUPPORTED) /* by the head, which the client chose */
        return pts_web_fail(e, 400, field, "%s", err->message);
    if (!field || labels || strcmp(field, "images") == 0)
        return pts_web_fail_status(e, status, field, err);
    return pts_web_fail(e, 400, field, "%s: %s", field, err->message);
}

static pts_status forecast(web_ask *ask, const pts_given *given, const char **field, pts_error *err)
{
    if (ask->study) {
#ifdef PTS_HAVE_STUDY
        return pts_study_forecast(ask->models, given, &ask->study_answer, field, err);
#else
        *field = "mode";
        return pts_fail(err, PTS_ERR_UNSUPPORTED, "ptssp: built without study");
#endif
    }
    PTS_TRY(pts_new(&ask->answer, 1, sizeof *ask->answer, err));
    return pts_forecast_find(ask->models, given, ask->answer, field, err);
}

bool pts_web_ask_read(web_app *app, const web_request *request, web_ask *ask, web_error *e)
{
    const pts_question defaults = PTS_QUESTION_DEFAULTS;
    *ask = (web_ask){.question = defaults, .models = pts_web_queue_models(app->queue)};
    return pts_web_form_read(&ask->form, request, e) && check_names(&ask->form, e) &&
           read_target(ask, e) && read_numbers(ask, e) && read_pilot(ask, e) && read_mode(ask, e) &&
           read_images(app, ask, e) && read_labels(ask, e);
}

bool pts_web_ask_answer(web_app *app, web_ask *ask, web_error *e)
{
    pts_error err;
    pts_label_sums sums[PTS_PHOTOGRAPHS];
    web_error refused = {.status = 0};
    turn_of turn = {app, &refused};
    const char *field = "labels";
    const pts_image_limits limits = {app->options->image_pixels, app->options->image_bytes};
    const pts_given given = {.question = ask->question,
                             .prior = ask->prior,
                             .encoder = ask->encoder,
                             .photographs = ask->image_count ? ask->images : NULL,
                             .labels = ask->label_count ? sums : NULL,
                             .limits = limits,
                             .embed = embed,
                             .user = &turn};
    pts_status status = ask->label_count ? sum_labels(ask, sums, &err) : PTS_OK;
    if (status == PTS_OK)
        status = forecast(ask, &given, &field, &err);
    if (refused.status)
        *e = refused;
    return status == PTS_OK || (refused.status ? false : blame(e, status, field, &err));
}

void pts_web_ask_free(web_ask *ask)
{
    free(ask->answer);
    pts_curves_destroy(ask->pilot);
    pts_models_release(ask->models);
    pts_web_form_free(&ask->form);
}
