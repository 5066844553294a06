/* Fuzz target of the service's bodies. The first byte chooses: 0 multipart, 1 JSON, 2 urlencoded,
 * each through the form's reader alone; 3 … 5 the same through the whole of a request, to
 * /api/v1/predict (without encoders; the prior of the repository answers) and /api/v1/curve.
 *
 *   tests/fuzz/run web 600 */
#include "web/ask.h"
#include "web/form.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const types[3] = {"multipart/form-data; boundary=b", "application/json",
                                     "application/x-www-form-urlencoded"};

static web_app *open_app(void)
{
    static const pts_prior_name prior = {"builtin", "weights/prior-builtin.txt"};
    static pts_web_options options = PTS_WEB_DEFAULTS;
    static web_app app;
    options.priors = &prior;
    options.prior_count = 1;
    options.threads = 1;
    app.options = &options;
    if (pts_web_queue_create(&app.queue, &options, &(pts_error){""}) != PTS_OK)
        __builtin_trap();
    return &app;
}

/* What a form's reader promises: terminated texts, files inside the body. */
static void check_form(const web_form *form)
{
    for (size_t i = 0; i < form->count; i++) {
        const web_part *p = &form->parts[i];
        if (strlen(p->name) > 1 << 20 || p->value[p->size] != '\0')
            __builtin_trap();
        if (!p->filename && strlen(p->value) != p->size)
            __builtin_trap();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static web_app *app;
    app = app ? app : open_app();
    if (size < 1)
        return 0;
    char *body = malloc(size);
    if (!body)
        return 0;
    memcpy(body, data + 1, size - 1);
    body[size - 1] = '\0';
    web_request request = {.method = "POST",
                           .path = data[0] % 6 == 4 ? "/api/v1/curve" : "/api/v1/predict",
                           .content_type = types[data[0] % 3],
                           .authorization = "",
                           .accept_encoding = "",
                           .if_none_match = "",
                           .fetch_site = "",
                           .body = body,
                           .size = size - 1};
    if (data[0] % 6 < 3) {
        web_form form;
        web_error e;
        if (pts_web_form_read(&form, &request, &e))
            check_form(&form);
        pts_web_form_free(&form);
    } else {
        web_reply reply = {.status = 0};
        pts_web_answer(app, &request, &reply);
        if (reply.status == 500 || reply.status == 503 || !reply.body)
            __builtin_trap();
        pts_web_reply_free(&reply);
    }
    free(body);
    return 0;
}
