/* Fields of a request's body: multipart/form-data (RFC 7578), application/x-www-form-urlencoded or
 * a flat JSON object. The body is cut up in place; the fields point into it. */
#ifndef PTS_SRC_WEB_FORM_H
#define PTS_SRC_WEB_FORM_H

#include "web/http.h"

#include <jansson.h>

enum { WEB_PARTS = 64, WEB_BOUNDARY = 70 };

typedef struct web_part {
    const char *name, *value; /* NUL-terminated; a file's value may hold NULs as well */
    size_t size;
    const char *filename, *type; /* NULL where the part is no file */
} web_part;

typedef struct web_form {
    web_part parts[WEB_PARTS];
    size_t count;
    json_t *json; /* holds the names and values of a JSON body; NULL: they are in the body */
} web_form;

/* By the request's Content-Type; pts_web_form_free in any case. 415 for another type, 400 for a
 * body that is not what it says, 413 for too many fields. */
bool pts_web_form_read(web_form *form, const web_request *request, web_error *e);
void pts_web_form_free(web_form *form);

/* Which fields a request may have. */
typedef struct web_fields {
    const char *const *names; /* NULL at the end */
    const char *repeated;     /* of these may be several; NULL: of none */
    bool files;               /* whether there may be files, whatever they are called */
} web_fields;

bool pts_web_form_check(const web_form *form, const web_fields *fields, web_error *e);

/* The one value of that name, NULL where it is absent or empty. */
const char *pts_web_form_value(const web_form *form, const char *name);

bool pts_web_multipart_read(web_form *form, const char *content_type, char *body, size_t size,
                            web_error *e);
bool pts_web_urlencoded_read(web_form *form, char *body, size_t size, web_error *e);
/* Numbers, texts and arrays of numbers (as "1,2,3"). */
bool pts_web_json_read(web_form *form, const char *body, size_t size, web_error *e);

/* Whether a Content-Type is of that media type, its parameters aside. */
bool pts_web_type_is(const char *content_type, const char *type);
/* Adds a part; name and value must be free of NULs unless it is a file. */
bool pts_web_form_add(web_form *form, const web_part *part, web_error *e);

#endif
