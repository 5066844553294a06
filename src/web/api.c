/* The JSON functions. */
#include "web/ask.h"

#include "base/json.h"
#ifdef PTS_HAVE_STUDY
#include "pts/study.h"
#endif

#include <jansson.h>
#include <stdio.h>
#include <string.h>

static const char type_json[] = "application/json";

/* As the command line prints it, with its line end; where status is not PTS_OK `err` says why. */
static bool reply_json(web_reply *reply, pts_status status, char *json, const pts_error *err,
                       web_error *e)
{
    if (status != PTS_OK)
        return pts_web_fail_status(e, status, NULL, err);
    pts_web_reply_text(reply, 200, type_json, json, strlen(json));
    return true;
}

static bool predict(web_ask *ask, web_reply *reply, web_error *e)
{
    char *json;
    pts_error err;
    int flags = ask->detail ? PTS_ANSWER_DETAIL : 0;
    pts_status status = ask->study ? pts_study_answer_json(&ask->study_answer, &json, &err)
                                   : pts_answer_json(ask->answer, flags, &json, &err);
    return reply_json(reply, status, json, &err, e);
}

void pts_web_api_predict(web_app *app, const web_request *request, web_reply *reply)
{
    web_ask ask;
    web_error e;
    if (!pts_web_ask_read(app, request, &ask, &e) || !pts_web_ask_answer(app, &ask, &e) ||
        !predict(&ask, reply, &e))
        pts_web_reply_error(reply, &e);
    pts_web_ask_free(&ask);
}

/* ---- a curve alone ---- */

/* A, B, C, D apart, or `params`. */
static const char *read_params(const web_form *form, char *text, size_t size)
{
    const char *whole = pts_web_form_value(form, "params");
    const char *v[4];
    static const char *const names[4] = {"A", "B", "C", "D"};
    for (size_t i = 0; i < 4; i++)
        v[i] = pts_web_form_value(form, names[i]);
    if (whole || !v[0] || !v[1] || !v[2] || !v[3])
        return whole;
    int used = snprintf(text, size, "%s,%s,%s,%s", v[0], v[1], v[2], v[3]);
    return used < (int)size ? text : NULL;
}

static bool curve(const web_form *form, web_reply *reply, web_error *e)
{
    char text[256], *json;
    pts_curve_reply answer;
    pts_error err;
    const char *field, *params = read_params(form, text, sizeof text);
    const char *target = pts_web_form_value(form, "target"), *at = pts_web_form_value(form, "at");
    static const char *const names[] = {"A", "B", "C", "D", "params", "target", "at", NULL};
    bool percent;
    if (!pts_web_form_check(form, &(web_fields){.names = names}, e))
        return false;
    if (!params)
        return pts_web_fail(e, 400, "params", "expected params A,B,C,D");
    if (!target == !at)
        return pts_web_fail(e, 400, "target", "expected either target or at");
    pts_status status = pts_curve_reply_find(params, target, at, &answer, &percent, &field, &err);
    if (status != PTS_OK)
        return pts_web_fail(e, 400, field, "%s: %s", field, err.message);
    status = pts_curve_reply_json(&answer, &json, &err);
    return reply_json(reply, status, json, &err, e);
}

void pts_web_api_curve(web_app *app, const web_request *request, web_reply *reply)
{
    web_form form;
    web_error e;
    (void)app;
    if (!pts_web_form_read(&form, request, &e) || !curve(&form, reply, &e))
        pts_web_reply_error(reply, &e);
    pts_web_form_free(&form);
}

/* ---- what there is ---- */

static json_t *describe_model(const pts_model *m)
{
    json_t *out = json_pack("{ss ss ss si si sb}", "arch", pts_encoder_arch(m->encoder), "id",
                            pts_encoder_id(m->encoder), "preset", pts_encoder_preset(m->encoder),
                            "dim", (int)pts_encoder_dim(m->encoder), "input_size",
                            (int)pts_encoder_input_size(m->encoder), "study", m->study != NULL);
    json_t *head = json_null();
    if (m->head)
        head = json_pack("{ss sb sb so so}", "kind", pts_head_kind_name(pts_head_kind_of(m->head)),
                         "uses_photographs", pts_head_uses_photographs(m->head), "takes_labels",
                         pts_head_takes_labels(m->head), "trainer",
                         pts_json_text(pts_head_trainer(m->head)), "summary",
                         pts_json_text(pts_head_summary(m->head)));
    json_object_set_new(out, "head", head);
    return out;
}

static json_t *describe_limits(const pts_web_options *o)
{
    return json_pack("{si sI sI sI sI}", "photographs", PTS_PHOTOGRAPHS, "body_bytes",
                     (json_int_t)o->body_bytes, "image_bytes", (json_int_t)o->image_bytes,
                     "image_pixels", (json_int_t)o->image_pixels, "queue", (json_int_t)o->queue);
}

static json_t *describe_priors(const pts_models *m)
{
    size_t count;
    json_t *out = json_array();
    const pts_named_prior *priors = pts_models_priors(m, &count);
    for (size_t i = 0; i < count; i++) {
        const pts_prior_file *file = &priors[i].file;
        json_array_append_new(out, json_pack("{ss so si si}", "name", priors[i].name, "trainer",
                                             pts_json_text(file->trainer), "curves",
                                             (int)file->curves, "datasets", (int)file->datasets));
    }
    return out;
}

static json_t *describe_models(const web_app *app, const pts_models *m)
{
    size_t count;
    json_t *encoders = json_array(), *modes = json_array();
    const pts_model *models = pts_models_list(m, &count);
    for (size_t i = 0; i < count; i++)
        json_array_append_new(encoders, describe_model(&models[i]));
    if (pts_models_find(m, NULL))
        json_array_append_new(modes, json_string("pts"));
#ifdef PTS_HAVE_STUDY
    if (pts_study_has_page(m))
        json_array_append_new(modes, json_string("ptssp"));
#endif
    return json_pack("{ss so so so so}", "version", PTS_VERSION_STRING, "encoders", encoders,
                     "priors", describe_priors(m), "modes", modes, "limits",
                     describe_limits(app->options));
}

void pts_web_api_models(web_app *app, const web_request *request, web_reply *reply)
{
    pts_models *models = pts_web_queue_models(app->queue);
    json_t *root = describe_models(app, models);
    char *json = json_dumps(root, JSON_INDENT(1));
    pts_models_release(models);
    json_decref(root);
    (void)request;
    pts_web_reply_text(reply, 200, type_json, json, json ? strlen(json) : 0);
}

void pts_web_health(web_app *app, const web_request *request, web_reply *reply)
{
    static const char ok[] = "{\"status\": \"ok\"}", stopping[] = "{\"status\": \"stopping\"}";
    bool stops = atomic_load(&app->stopping);
    (void)request;
    reply->status = stops ? 503 : 200;
    reply->type = type_json;
    reply->body = stops ? stopping : ok;
    reply->size = strlen(reply->body);
}
