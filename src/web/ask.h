/* From a form's fields to the question of ptsinfer predict, and to its answer. */
#ifndef PTS_SRC_WEB_ASK_H
#define PTS_SRC_WEB_ASK_H

#include "web/app.h"
#include "web/form.h"

#include "pts/forecast.h"
#include "pts/learn.h"

typedef struct web_ask {
    web_form form;
    pts_models *models; /* a share */
    pts_question question;
    pts_curve_set *pilot; /* or NULL */
    bool study, detail;
    const char *encoder; /* as asked, or NULL */
    const char *prior;   /* as asked, or NULL */
    pts_photograph images[PTS_PHOTOGRAPHS];
    size_t image_count;
    pts_label_file labels[PTS_PHOTOGRAPHS]; /* of the images, in their order */
    size_t label_count;                     /* 0: none */
    /* the answer: one of them */
    pts_answer *answer;
    pts_study_answer study_answer;
} web_ask;

/* Reads and checks; pts_web_ask_free in any case. */
bool pts_web_ask_read(web_app *app, const web_request *request, web_ask *ask, web_error *e);
bool pts_web_ask_answer(web_app *app, web_ask *ask, web_error *e);
void pts_web_ask_free(web_ask *ask);

#endif
