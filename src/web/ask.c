#include "web/ask.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* ---- fields ---- */

static const char *const known[] = {
    "target", "confidence", "pilot",  "cost_per_image", "prior", "mode",   "encoder",
    "rounds", "tau",        "detail", "token",          "lang",  "labels", "class"};

static bool is_known(const char *name)
{
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (strcmp(name, known[i]) == 0)
            return true;
    }
    return false;
}

/* One for each photograph, as text or as a file. */
static bool is_labels(const web_part *p)
{
    return strcmp(p->name, "labels") == 0;
}

static bool check_names(const web_form *form, web_error *e)
{
    for (size_t i = 0; i < form->count; i++) {
        const web_part *p = &form->parts[i];
        if (p->filename || is_labels(p))
            continue;
        if (!is_known(p->name))
            return pts_web_fail(e, 400, NULL, "no field '%.60s'", p->name);
        for (size_t k = 0; k < i; k++) {
            if (!form->parts[k].filename && strcmp(form->parts[k].name, p->name) == 0)
                return pts_web_fail(e, 400, p->name, "%s: expected one, got two", p->name);
        }
    }
    return true;
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
    ask->prior = prior ? pts_web_models_prior(ask->models, prior) : NULL;
    if (prior && !ask->prior)
        return pts_web_fail(e, 400, "prior", "prior: no prior '%.60s' (api/v1/models lists them)",
                            prior);
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
    if (!ask->prior && count != WEB_PHOTOGRAPHS)
        return pts_web_fail(e, 400, "images", "expected %d photographs, got %zu", WEB_PHOTOGRAPHS,
                            count);
    for (size_t i = 0; i < ask->form.count; i++) {
        const web_part *p = &ask->form.parts[i];
        if (!is_image(p))
            continue;
        if (!check_image(app, p, e))
            return false;
        ask->images[ask->image_count++] =
            (web_image){p->filename, (const uint8_t *)p->value, p->size};
    }
    return true;
}

/* ---- labels ---- */

enum { LABEL_BYTES = 1 << 20 };

static bool add_labels(web_ask *ask, const web_part *p, web_error *e)
{
    static const char *const names[WEB_PHOTOGRAPHS] = {"labels of image 1", "labels of image 2",
                                                       "labels of image 3", "labels of image 4"};
    if (p->size > LABEL_BYTES)
        return pts_web_fail(e, 413, "labels", "labels: expected at most %d bytes each, got %zu",
                            LABEL_BYTES, p->size);
    if (ask->label_count < WEB_PHOTOGRAPHS)
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
    if (ask->label_count && ask->label_count != WEB_PHOTOGRAPHS)
        return pts_web_fail(e, 400, "labels",
                            "labels: expected %d, one an image in their order, got "
                            "%zu",
                            WEB_PHOTOGRAPHS, ask->label_count);
    return true;
}

/* ---- to embeddings ---- */

static bool fail_queue(web_app *app, web_queue_result result, web_error *e)
{
    if (result == WEB_QUEUE_FULL)
        pts_web_fail(e, 503, NULL, "the queue is full: %zu requests wait", app->options->queue);
    else if (result == WEB_QUEUE_LATE)
        pts_web_fail(e, 503, NULL, "no turn within %u s", app->options->queue_seconds);
    else
        pts_web_fail(e, 503, NULL, "the service is stopping");
    atomic_fetch_add(&app->metrics.refused, 1);
    e->retry_after = pts_web_queue_retry(app->queue);
    return false;
}

static bool embed(web_app *app, web_turn *jobs, size_t count, web_error *e)
{
    for (size_t i = 0; i < count; i++) {
        size_t dim = pts_encoder_dim(jobs[i].model->encoder);
        jobs[i].embeddings = calloc(WEB_PHOTOGRAPHS * dim, sizeof(float));
        if (!jobs[i].embeddings)
            return pts_web_fail_status(e, PTS_ERR_MEMORY, NULL, &(pts_error){"out of memory"});
    }
    web_queue_result result = pts_web_queue_run(app->queue, jobs, count);
    if (result != WEB_QUEUE_DONE)
        return fail_queue(app, result, e);
    for (size_t i = 0; i < count; i++) {
        if (jobs[i].status != PTS_OK)
            return pts_web_fail_status(e, jobs[i].status, "images", &jobs[i].error);
    }
    return true;
}

/* ---- answers ---- */

static bool answer(web_ask *ask, const pts_curve_prior *prior, const pts_answer_source *source,
                   web_error *e)
{
    pts_error err;
    ask->answer = malloc(sizeof *ask->answer);
    if (!ask->answer)
        return pts_web_fail_status(e, PTS_ERR_MEMORY, NULL, &(pts_error){"out of memory"});
    pts_status status = pts_answer_find(prior, source, &ask->question, ask->answer, &err);
    return status == PTS_OK || pts_web_fail_status(e, status, NULL, &err);
}

/* encoder: of the photographs that were given; NULL: none, or with labels. */
static bool answer_past(web_ask *ask, const pts_prior_file *past, const char *encoder, web_error *e)
{
    const pts_answer_source source = {
        .encoder = encoder, .trainer = past->trainer, .past_curves = true};
    return answer(ask, &past->prior, &source, e);
}

static bool predict(web_ask *ask, const web_turn *job, web_error *e)
{
    pts_error err;
    pts_curve_prior prior;
    pts_head *head = job->model->head;
    const pts_answer_source source = {.encoder = pts_encoder_arch(job->model->encoder),
                                      .trainer = pts_head_trainer(head),
                                      .uses_photographs = pts_head_uses_photographs(head)};
    pthread_mutex_lock(&ask->models->mutex);
    pts_status status = pts_head_predict(head, job->embeddings, WEB_PHOTOGRAPHS, &prior, &err);
    pthread_mutex_unlock(&ask->models->mutex);
    if (status != PTS_OK)
        return pts_web_fail_status(e, status, NULL, &err);
    return answer(ask, &prior, &source, e);
}

/* What the labels say, and which head answers. */
static pts_status sum_labels(const web_ask *ask, pts_label_sums *sums, pts_error *err)
{
#ifdef PTS_HAVE_YAML
    static const size_t images[WEB_PHOTOGRAPHS] = {0, 1, 2, 3};
    const char *class_name = pts_web_form_value(&ask->form, "class");
    pts_dataset *set;
    pts_status status = pts_dataset_of_labels(&set, ask->labels, WEB_PHOTOGRAPHS, err);
    if (status == PTS_OK)
        status = pts_label_sums_pick(set, images, WEB_PHOTOGRAPHS, class_name, sums, NULL, err);
    pts_dataset_close(set);
    return status;
#else
    (void)ask, (void)sums;
    snprintf(err->message, sizeof err->message, "labels: built without libyaml");
    return PTS_ERR_UNSUPPORTED;
#endif
}

/* As the command line has it: beside pilot results neither photographs nor labels have made
 * forecasts better. */
static bool find_past(const web_ask *ask, const web_model *model, pts_prior_file *past)
{
    return ask->pilot && pts_head_population(model->head, past);
}

static bool answer_labels(web_ask *ask, const web_model *model, web_error *e)
{
    pts_label_sums sums[WEB_PHOTOGRAPHS];
    pts_prior_file past;
    pts_curve_prior prior;
    pts_error err;
    if (!pts_head_takes_labels(model->head))
        return pts_web_fail(e, 400, "labels", "labels: %s has no head that takes them",
                            pts_encoder_arch(model->encoder));
    pts_status status = sum_labels(ask, sums, &err);
    if (status == PTS_OK && find_past(ask, model, &past))
        return answer_past(ask, &past, NULL, e);
    if (status == PTS_OK)
        status = pts_head_predict_labelled(model->head, sums, WEB_PHOTOGRAPHS, &prior, &err);
    if (status != PTS_OK)
        return pts_web_fail_status(e, status, "labels", &err);
    pts_answer_source source = {.trainer = pts_head_trainer(model->head),
                                .labelled = WEB_PHOTOGRAPHS};
    for (size_t i = 0; i < WEB_PHOTOGRAPHS; i++) {
        source.objects += (size_t)sums[i].objects;
        source.showing += sums[i].objects > 0;
    }
    return answer(ask, &prior, &source, e);
}

static bool answer_photographs(web_app *app, web_ask *ask, web_error *e)
{
    pts_prior_file past;
    web_turn job = {.model = pts_web_models_find(ask->models, ask->encoder), .images = ask->images};
    if (!job.model)
        return pts_web_fail(e, 400, "encoder",
                            "encoder: no encoder '%.80s' (api/v1/models lists them)",
                            ask->encoder ? ask->encoder : "");
    if (!job.model->head)
        return pts_web_fail(e, 400, "encoder", "encoder: %s has no head for mode pts",
                            pts_encoder_arch(job.model->encoder));
    if (ask->label_count)
        return answer_labels(ask, job.model, e);
    if (find_past(ask, job.model, &past))
        return answer_past(ask, &past, pts_encoder_arch(job.model->encoder), e);
    bool done = embed(app, &job, 1, e) && predict(ask, &job, e);
    free(job.embeddings);
    return done;
}

static pts_status study_numbers(web_ask *ask, const web_turn *job, double out[4], pts_error *err)
{
    pthread_mutex_lock(&ask->models->mutex);
    pts_status status = pts_head_study(job->model->study, job->embeddings, out, err);
    pthread_mutex_unlock(&ask->models->mutex);
    return status;
}

static bool answer_study(web_app *app, web_ask *ask, web_error *e)
{
    static const char *const archs[2] = {"inception_v3", "clip_vit"};
    web_turn jobs[2] = {{.preset = "ptssp", .images = ask->images},
                        {.preset = "ptssp", .images = ask->images}};
    double numbers[2][4];
    pts_error err;
    for (int i = 0; i < 2; i++) {
        jobs[i].model = pts_web_models_study(ask->models, archs[i]);
        if (!jobs[i].model)
            return pts_web_fail(e, 400, "mode", "mode: ptssp needs %s with a head of the study's",
                                archs[i]);
    }
    bool done = embed(app, jobs, 2, e);
    for (int i = 0; i < 2 && done; i++) {
        pts_status status = study_numbers(ask, &jobs[i], numbers[i], &err);
        done = status == PTS_OK || pts_web_fail_status(e, status, NULL, &err);
    }
    if (done)
        ask->study_answer = pts_study_answer_find(numbers[0], numbers[1], ask->question.target);
    free(jobs[0].embeddings);
    free(jobs[1].embeddings);
    return done;
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
    if (ask->study)
        return answer_study(app, ask, e);
    return ask->prior ? answer_past(ask, &ask->prior->file, NULL, e)
                      : answer_photographs(app, ask, e);
}

void pts_web_ask_free(web_ask *ask)
{
    free(ask->answer);
    pts_curves_destroy(ask->pilot);
    pts_web_models_release(ask->models);
    pts_web_form_free(&ask->form);
}
