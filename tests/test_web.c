/* The service: every path, every limit, clients that misbehave, signals. The models are a drawn
 * CLIP tower and a head trained here; figures are compared with the library's own road and with the
 * command line. */
#include "check_main.h"
#include "clip_file.h"
#include "run_program.h"
#include "web_client.h"
#include "well_formed.h"

#include "base/clock.h"
#include "pts/forecast.h"
#include "pts/encoder.h"
#include "pts/file.h"
#include "pts/learn.h"
#include "pts/web.h"

#include <fcntl.h>
#include <jansson.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <time.h>

static const clip_shape quick = {"quick", 8, 5, 48, 3, 3, 100, 20, "gelu"};
/* Some 10 GFLOP for four photographs, in a file of 1 MB. */
static const clip_shape slow = {"slow", 8, 40, 64, 6, 4, 128, 20, "gelu"};
static const char identity[] = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

enum { DIM = 20, SETS = 4, POINTS = 8 };

/* ---- a folder of models, and a server on them ---- */

static char folder[64];
static pts_web *server;
static int port;
static char log_text[1 << 16];
static pthread_mutex_t log_mutex = PTHREAD_MUTEX_INITIALIZER;

static const char *in_folder(const char *name)
{
    static char paths[4][128];
    static int turn;
    char *path = paths[turn++ % 4];
    snprintf(path, sizeof *paths, "%s/%s", folder, name);
    return path;
}

static void add_task(pts_tasks *tasks, int set)
{
    double n[POINTS], map[POINTS];
    float embeddings[4][DIM];
    char name[16];
    snprintf(name, sizeof name, "set%d", set);
    for (int i = 0; i < POINTS; i++) {
        n[i] = 4 << i;
        map[i] = pts_curve_at(&(pts_curve){0.02, 1.2, 30 + 5 * set, 0.5 + 0.02 * set}, n[i]) +
                 0.01 * ((i * 7 + set * 3) % 5 - 2) / 2;
    }
    for (int i = 0; i < 4 * DIM; i++)
        embeddings[i / DIM][i % DIM] = (float)((i * 31 + set * 17) % 23) / 23;
    pts_label_sums labels[4];
    for (int i = 0; i < 4; i++) {
        double size = -2 + 0.1 * set + 0.05 * i;
        labels[i] = (pts_label_sums){1 + i, (1 + i) * size, (1 + i) * (size * size + 0.02),
                                     0.6 * (1 + i), i * 0.5};
    }
    const pts_task task = {name, "class", POINTS, n, map, 4, embeddings[0], NULL, labels, NULL};
    ck_assert_int_eq(pts_tasks_add(tasks, &task, NULL), PTS_OK);
}

static void write_head(const char *path, const char *trainer)
{
    pts_tasks *tasks;
    pts_head *head;
    pts_error err;
    pts_head_options options = PTS_HEAD_DEFAULTS;
    options.kind = PTS_HEAD_MEAN;
    options.trainer = trainer;
    ck_assert_int_eq(pts_tasks_create(&tasks, DIM, identity, "clip", NULL), PTS_OK);
    for (int i = 0; i < SETS; i++)
        add_task(tasks, i);
    pts_status status = pts_head_train(&head, tasks, &options, NULL, NULL, NULL, &err);
    ck_assert_msg(status == PTS_OK, "%s", err.message);
    ck_assert_int_eq(pts_head_write(head, path, NULL), PTS_OK);
    pts_head_close(head);
    pts_tasks_destroy(tasks);
}

/* Trained once: every case has its copy. */
static char trained[64];

static void train_head(void)
{
    strcpy(trained, "/tmp/pts_web_head_XXXXXX");
    close(mkstemp(trained));
    write_head(trained, "a trainer");
}

static void remove_head(void)
{
    unlink(trained);
}

static void make_folder(const clip_shape *shape)
{
    strcpy(folder, "/tmp/pts_web_XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    clip_file_write(clip_file_make(shape), in_folder("enc.ptsw"));
    ck_assert_int_eq(run_program("cp %s %s", trained, in_folder("head.ptsw")), 0);
}

static void remove_folder(void)
{
    ck_assert_int_eq(run_program("rm -r %s", folder), 0);
}

static void take_line(void *user, const char *line)
{
    (void)user;
    pthread_mutex_lock(&log_mutex);
    size_t used = strlen(log_text);
    snprintf(log_text + used, sizeof log_text - used, "%s\n", line);
    pthread_mutex_unlock(&log_mutex);
}

static pts_web_options make_options(void)
{
    static const char *encoders[1], *heads[1];
    static pts_prior_name priors[1];
    static char prior[4096];
    pts_web_options o = PTS_WEB_DEFAULTS;
    const char *root = getenv("PTS_TEST_WEIGHTS");
    snprintf(prior, sizeof prior, "%s/prior-builtin.txt", root ? root : "weights");
    encoders[0] = strdup(in_folder("enc.ptsw"));
    heads[0] = strdup(in_folder("head.ptsw"));
    priors[0] = (pts_prior_name){"builtin", prior};
    o.port = 0;
    o.encoders = encoders;
    o.heads = heads;
    o.priors = priors;
    o.encoder_count = o.head_count = o.prior_count = 1;
    o.threads = 2;
    o.log = take_line;
    return o;
}

static void free_options(pts_web_options *o)
{
    free((char *)(uintptr_t)o->encoders[0]);
    free((char *)(uintptr_t)o->heads[0]);
}

static void start(pts_web_options *o)
{
    pts_error err;
    pts_status status = pts_web_start(&server, o, &err);
    ck_assert_msg(status == PTS_OK, "%s", err.message);
    port = pts_web_port(server);
    free_options(o);
}

static void start_quick(void)
{
    make_folder(&quick);
    pts_web_options o = make_options();
    start(&o);
}

static void stop(void)
{
    pts_web_stop(server);
    remove_folder();
}

/* ---- what is asked ---- */

static void add_photo(web_text *body, int index)
{
    char name[32], *data;
    size_t size;
    snprintf(name, sizeof name, "photos/%d.jpg", index);
    ck_assert_int_eq(pts_read_file(test_data(name), 1 << 24, &data, &size, NULL), PTS_OK);
    web_file(body, name + 7, "image/jpeg", data, size);
    free(data);
}

static void add_photos(web_text *body, int count)
{
    for (int i = 0; i < count; i++)
        add_photo(body, i % 4 + 1);
}

/* The parsed body, which must be a reply of that status. */
static json_t *json_of(web_reply *r, int status)
{
    ck_assert_msg(r->status == status, "expected %d, got %d: %s", status, r->status,
                  r->body ? r->body : "nothing");
    ck_assert_str_eq(web_header(r, "Content-Type"), "application/json");
    json_t *root = json_loads(r->body, 0, NULL);
    ck_assert_msg(root != NULL, "%s", r->body);
    pts_web_reply_free(r);
    return root;
}

static void expect_error(web_reply r, int status, const char *field, const char *message)
{
    json_t *root = json_of(&r, status), *e = json_object_get(root, "error");
    ck_assert_str_eq(json_string_value(json_object_get(e, "message")), message);
    if (field)
        ck_assert_str_eq(json_string_value(json_object_get(e, "field")), field);
    else
        ck_assert_ptr_null(json_object_get(e, "field"));
    json_decref(root);
}

static double number(const json_t *root, const char *key)
{
    const json_t *value = json_object_get(root, key);
    ck_assert_msg(json_is_number(value), "%s is no number", key);
    return json_number_value(value);
}

/* ---- answers ---- */

/* The road of the library, without the service. */
static char *answer_of_library(const pts_question *q)
{
    char names[4][4096], *json;
    const char *paths[4];
    float embeddings[4 * DIM];
    pts_encoder *encoder;
    pts_head *head;
    pts_curve_prior prior;
    pts_answer *a = malloc(sizeof *a);
    for (int i = 0; i < 4; i++) {
        char name[32];
        snprintf(name, sizeof name, "photos/%d.jpg", i + 1);
        snprintf(names[i], sizeof *names, "%s", test_data(name));
        paths[i] = names[i];
    }
    ck_assert_int_eq(pts_encoder_open(&encoder, in_folder("enc.ptsw"), NULL, NULL), PTS_OK);
    ck_assert_int_eq(pts_head_open(&head, in_folder("head.ptsw"), NULL), PTS_OK);
    ck_assert_int_eq(pts_encoder_embed_files(encoder, paths, 4, NULL, NULL, embeddings, NULL, NULL),
                     PTS_OK);
    pts_prior_file past;
    const bool from_past = q->pilot && pts_head_population(head, &past);
    ck_assert_int_eq(from_past, q->pilot != NULL);
    ck_assert_int_eq(pts_head_predict(head, embeddings, 4, &prior, NULL), PTS_OK);
    if (from_past)
        prior = past.prior;
    const pts_answer_source source = {.encoder = "clip_vit",
                                      .trainer = "a trainer",
                                      .uses_photographs =
                                          !from_past && pts_head_uses_photographs(head) != 0,
                                      .past_curves = from_past};
    ck_assert_int_eq(pts_answer_find(&prior, &source, q, a, NULL), PTS_OK);
    ck_assert_int_eq(pts_answer_json(a, 0, &json, NULL), PTS_OK);
    pts_head_close(head);
    pts_encoder_close(encoder);
    free(a);
    return json;
}

static void expect_the_librarys_answer(bool with_pilot)
{
    pts_question q = PTS_QUESTION_DEFAULTS;
    double n[] = {10, 20}, map[] = {0.05, 0.11};
    pts_curve_points points = {.count = 2, .n = n, .map = map};
    const pts_curve_set pilot = {&points, 1, false};
    web_text body = {NULL, 0, 0};
    web_field(&body, "target", "30");
    web_field(&body, "confidence", "0.9");
    web_field(&body, "cost_per_image", "2.5");
    web_field(&body, "rounds", "3");
    if (with_pilot)
        web_field(&body, "pilot", "n,map\n10,0.05\n20,0.11\n");
    add_photos(&body, 4);
    web_reply r = web_post(port, "/api/v1/predict", &body, "");
    q.target = 0.3, q.confidence = 0.9, q.cost = 2.5, q.rounds = 3;
    q.pilot = with_pilot ? &pilot : NULL;
    char *expected = answer_of_library(&q);
    ck_assert_int_eq(r.status, 200);
    ck_assert_str_eq(r.body, expected);
    free(expected);
    pts_web_reply_free(&r);
}

START_TEST(predict_equals_the_library)
{
    start_quick();
    expect_the_librarys_answer(false);
    expect_the_librarys_answer(true);
    stop();
}
END_TEST

#ifdef PTS_HAVE_YAML
#define TRIANGLE "1 0.1 0.1 0.5 0.1 0.1 0.5\n"

static char *answer_of_labels(const char *const texts[4])
{
    const size_t images[4] = {0, 1, 2, 3};
    pts_label_file files[4];
    pts_label_sums sums[4];
    pts_dataset *set;
    pts_head *head;
    pts_curve_prior prior;
    pts_question q = PTS_QUESTION_DEFAULTS;
    pts_answer *a = malloc(sizeof *a);
    char *json;
    q.target = 0.3;
    for (int i = 0; i < 4; i++)
        files[i] = (pts_label_file){"x", texts[i], strlen(texts[i])};
    ck_assert_int_eq(pts_dataset_of_labels(&set, files, 4, NULL), PTS_OK);
    ck_assert_int_eq(pts_label_sums_pick(set, images, 4, "1", sums, NULL, NULL), PTS_OK);
    ck_assert_int_eq(pts_head_open(&head, in_folder("head.ptsw"), NULL), PTS_OK);
    ck_assert_int_eq(pts_head_predict_labelled(head, sums, 4, &prior, NULL), PTS_OK);
    const pts_answer_source source = {
        .trainer = "a trainer", .labelled = 4, .showing = 3, .objects = 4};
    ck_assert_int_eq(pts_answer_find(&prior, &source, &q, a, NULL), PTS_OK);
    ck_assert_int_eq(pts_answer_json(a, 0, &json, NULL), PTS_OK);
    pts_dataset_close(set);
    pts_head_close(head);
    free(a);
    return json;
}

static web_reply ask_with(const char *const *texts, int count, const char *class_name)
{
    web_text body = {NULL, 0, 0};
    web_field(&body, "target", "0.3");
    for (int i = 0; i < count; i++)
        web_field(&body, "labels", texts[i]);
    if (class_name)
        web_field(&body, "class", class_name);
    add_photos(&body, 4);
    return web_post(port, "/api/v1/predict", &body, "");
}

/* Beside pilot results labels take no part: the answer is that of the photographs with them, but
 * for the encoder, which labels do not need. */
static void expect_past_curves(const char *const texts[4])
{
    json_t *got[2];
    for (int labelled = 0; labelled < 2; labelled++) {
        web_text body = {NULL, 0, 0};
        web_field(&body, "target", "0.3");
        web_field(&body, "pilot", "10,0.05\n20,0.11\n");
        for (int i = 0; i < 4 * labelled; i++)
            web_field(&body, "labels", texts[i]);
        if (labelled)
            web_field(&body, "class", "1");
        add_photos(&body, 4);
        web_reply r = web_post(port, "/api/v1/predict", &body, "");
        ck_assert_msg(r.status == 200, "%s", r.body);
        got[labelled] = json_loads(r.body, 0, NULL);
        ck_assert_str_eq(json_string_value(json_object_get(got[labelled], "prior")), "past_curves");
        json_object_del(got[labelled], "encoder");
        pts_web_reply_free(&r);
    }
    ck_assert(json_equal(got[0], got[1]));
    json_decref(got[0]);
    json_decref(got[1]);
}

START_TEST(labels_answer)
{
    const char *const texts[4] = {TRIANGLE, "", TRIANGLE TRIANGLE "0 0 0 1 0 0 1\n", TRIANGLE};
    const char *const wrong[4] = {TRIANGLE, TRIANGLE "1 0.1 0.1\n", "", ""};
    start_quick();
    web_reply r = ask_with(texts, 4, "1");
    char *expected = answer_of_labels(texts);
    ck_assert_msg(r.status == 200, "%s", r.body);
    ck_assert_str_eq(r.body, expected);
    free(expected);
    pts_web_reply_free(&r);
    expect_past_curves(texts);
    expect_error(ask_with(texts, 4, NULL), 400, "labels",
                 "labels: expected a class to be named, as the photographs show several: 1, 0");
    expect_error(ask_with(texts, 4, "7"), 400, "labels",
                 "labels: expected a class by name or by number from 0 to 1, got '7'");
    expect_error(ask_with(texts, 3, "1"), 400, "labels",
                 "labels: expected 4, one an image in their order, got 3");
    expect_error(ask_with(texts, 0, "1"), 400, "class", "class: expected labels with it, got none");
    expect_error(ask_with(wrong, 4, NULL), 400, "labels",
                 "labels of image 2: line 2: expected a polygon of at least 3 points, got 1");
    stop();
}
END_TEST
#define LABEL_CASES labels_answer,
#else
#define LABEL_CASES
#endif

START_TEST(pasted_pilots_and_plain_forms_are_read_alike)
{
    static const char *const pasted[] = {"n,map\n10,0.05\n20,0.11", "10,0.05\r\n20,0.11\r\n",
                                         "10\t0,05\n20\t0,11\n", "n;map\n10;0,05\n20;0,11",
                                         " 10, 0.05 \n20 , 0.11\n"};
    char *first = NULL;
    start_quick();
    for (size_t i = 0; i < sizeof pasted / sizeof *pasted; i++) {
        web_text body = {NULL, 0, 0};
        web_field(&body, "target", "0.3");
        web_field(&body, "prior", "builtin");
        web_field(&body, "mode", "");
        web_file(&body, "", "application/octet-stream", "", 0);
        web_field(&body, "pilot", pasted[i]);
        web_reply r = web_post(port, "/api/v1/predict", &body, "");
        ck_assert_msg(r.status == 200, "%s: %s", pasted[i], r.body);
        if (!first)
            first = strdup(r.body);
        ck_assert_str_eq(r.body, first);
        pts_web_reply_free(&r);
    }
    free(first);
    web_reply r = web_ask(port, "POST /api/v1/predict HTTP/1.1\r\nHost: x\r\nContent-Type: "
                                "application/x-www-form-urlencoded\r\nContent-Length: 47\r\n\r\n"
                                "target=0.3&prior=builtin&pilot=10%2C0.05%0A20,x");
    expect_error(r, 400, "pilot",
                 "pilot: line 2: column map: expected a number in 0 … 100, got 'x'");
    stop();
}
END_TEST

START_TEST(detail_draws_the_figure)
{
    web_text body = {NULL, 0, 0};
    start_quick();
    web_field(&body, "target", "0.3");
    web_field(&body, "detail", "1");
    add_photos(&body, 4);
    web_reply r = web_post(port, "/api/v1/predict", &body, "");
    json_t *root = json_of(&r, 200), *d = json_object_get(root, "detail");
    const pts_curve c = {number(root, "A"), number(root, "B"), number(root, "C"),
                         number(root, "D")};
    for (size_t i = 0; i < 200; i++) {
        double n = json_number_value(json_array_get(json_object_get(d, "n"), i));
        double y = json_number_value(json_array_get(json_object_get(d, "curve"), i));
        ck_assert_double_eq_tol(y, pts_curve_at(&c, n), 1e-12);
        ck_assert_double_le(json_number_value(json_array_get(json_object_get(d, "low"), i)),
                            json_number_value(json_array_get(json_object_get(d, "high"), i)));
    }
    const json_t *low = json_array_get(json_object_get(d, "sizes_low"), 29);
    ck_assert_double_eq(json_number_value(low), number(root, "n_low"));
    ck_assert_uint_eq(json_array_size(json_object_get(d, "reachable")), 99);
    json_decref(root);
    stop();
}
END_TEST

static web_reply post_text(const char *path, const char *type, const char *text)
{
    web_text t = {NULL, 0, 0};
    web_print(&t, "POST %s HTTP/1.1\r\nHost: x\r\nContent-Type: %s\r\nContent-Length: %zu\r\n\r\n",
              path, type, strlen(text));
    web_add(&t, text, strlen(text));
    web_reply r = web_exchange(port, &t);
    free(t.data);
    return r;
}

static web_reply post_json(const char *path, const char *json)
{
    return post_text(path, "application/json", json);
}

static web_reply post_form(const char *path, const char *fields)
{
    return post_text(path, "application/x-www-form-urlencoded", fields);
}

/* One limit for pilot results, whatever the body is. */
START_TEST(json_takes_as_much_pilot_text_as_a_form)
{
    static const char results[] = "10,0.05\n20,0.11\n";
    start_quick();
    for (int more = 0; more < 2; more++) {
        web_text body = {NULL, 0, 0};
        web_print(&body,
                  "{\"target\": 0.3, \"prior\": \"builtin\", \"pilot\": \"10,0.05\\n20,0.11\\n");
        for (size_t i = strlen(results); i < 500000 + (size_t)more; i++)
            web_add(&body, " ", 1);
        web_print(&body, "\"}");
        web_reply r = post_json("/api/v1/predict", body.data);
        free(body.data);
        if (more)
            expect_error(r, 413, "pilot", "pilot: expected at most 500000 bytes, got 500001");
        else
            json_decref(json_of(&r, 200));
    }
    stop();
}
END_TEST

START_TEST(json_has_no_more_fields_than_a_form)
{
    web_text many = {NULL, 0, 0};
    start_quick();
    for (int i = 0; i < 65; i++)
        web_print(&many, "%s\"field%d\": [1e300, 2.5e-300]", i ? ", " : "{", i);
    web_print(&many, "}");
    expect_error(post_json("/api/v1/curve", many.data), 413, NULL,
                 "expected at most 64 fields, got more");
    free(many.data);
    stop();
}
END_TEST

START_TEST(no_field_comes_twice)
{
    start_quick();
    expect_error(post_form("/api/v1/curve", "params=0.1,2,50,0.6&at=50&at=60"), 400, "at",
                 "at: expected one, got two");
    expect_error(post_form("/api/v1/predict", "target=0.3&prior=builtin&target=0.4"), 400, "target",
                 "target: expected one, got two");
    stop();
}
END_TEST

START_TEST(curve_equals_the_command_line)
{
    static const char *const same[] = {"{\"params\": \"0.1,2,50,0.6\", \"target\": 0.35}",
                                       "{\"params\": [0.1, 2, 50, 0.6], \"target\": \"35\"}",
                                       "{\"A\":0.1,\"B\":2,\"C\":50,\"D\":0.6,\"target\":0.35}"};
    start_quick();
    ck_assert_int_eq(run_program("ptsinfer curve --json --params 0.1,2,50,0.6 --target 0.35"), 0);
    for (size_t i = 0; i < 3; i++) {
        web_reply r = post_json("/api/v1/curve", same[i]);
        ck_assert_int_eq(r.status, 200);
        ck_assert_uint_eq(r.size + 1, strlen(ran.out));
        ck_assert_int_eq(strncmp(r.body, ran.out, r.size), 0);
        pts_web_reply_free(&r);
    }
    web_reply r = post_json("/api/v1/curve", "{\"params\": \"0.1,2,50,0.6\", \"at\": 50}");
    json_t *root = json_of(&r, 200);
    ck_assert_double_eq_tol(number(root, "map"), 0.35, 1e-15);
    json_decref(root);
    stop();
}
END_TEST

START_TEST(curve_refuses_in_the_command_lines_words)
{
    start_quick();
    expect_error(post_json("/api/v1/curve", "{\"params\": \"1,2,3\", \"at\": 1}"), 400, "params",
                 "params: expected four numbers A,B,C,D, got '1,2,3'");
    expect_error(post_json("/api/v1/curve", "{\"params\": \"0.1,2,50,0.6\", \"target\": \"x\"}"),
                 400, "target", "target: expected an mAP between 0 and 1, got 'x'");
    expect_error(post_json("/api/v1/curve", "{\"params\": \"0.1,2,50,0.6\"}"), 400, "target",
                 "expected either target or at");
    expect_error(post_json("/api/v1/curve", "{\"target\": 0.5}"), 400, "params",
                 "expected params A,B,C,D");
    expect_error(post_json("/api/v1/curve", "{\"depth\": 1}"), 400, NULL, "no field 'depth'");
    expect_error(post_json("/api/v1/curve", "[1]"), 400, NULL, "JSON: expected an object");
    expect_error(post_json("/api/v1/curve", "{\"target\": {}}"), 400, NULL,
                 "target: expected a number, a text or an array of numbers");
    stop();
}
END_TEST

/* A request is counted when its reply has gone, so its client may be earlier: asks for ten seconds.
 */
static web_reply metrics_with(const char *line)
{
    const struct timespec pause = {.tv_nsec = 10 * 1000 * 1000};
    for (int i = 0;; i++) {
        web_reply r = web_ask(port, "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n");
        ck_assert_int_eq(r.status, 200);
        if (strstr(r.body, line))
            return r;
        ck_assert_msg(i < 1000, "no '%s' in %s", line, r.body);
        pts_web_reply_free(&r);
        nanosleep(&pause, NULL);
    }
}

START_TEST(models_health_and_metrics)
{
    start_quick();
    web_reply r = web_ask(port, "GET /api/v1/models HTTP/1.1\r\nHost: x\r\n\r\n");
    json_t *root = json_of(&r, 200), *first = json_array_get(json_object_get(root, "encoders"), 0);
    ck_assert_str_eq(json_string_value(json_object_get(first, "arch")), "clip_vit");
    ck_assert_str_eq(json_string_value(json_object_get(first, "id")), identity);
    const json_t *head = json_object_get(first, "head");
    ck_assert_str_eq(json_string_value(json_object_get(head, "trainer")), "a trainer");
    ck_assert_uint_eq(json_array_size(json_object_get(root, "priors")), 1);
    json_decref(root);
    r = web_ask(port, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n");
    root = json_of(&r, 200);
    json_decref(root);
    pts_web_reply_free(&r);
    r = metrics_with("\npts_http_requests_total{path=\"/healthz\",status=\"200\"} 1\n");
    ck_assert_ptr_nonnull(strstr(r.body, "\npts_queue_capacity 32\n"));
    pts_web_reply_free(&r);
    stop();
}
END_TEST

START_TEST(page_and_its_parts)
{
    char request[2048];
    start_quick();
    web_reply r = web_ask(port, "GET /?target=0.4 HTTP/1.1\r\nHost: x\r\n\r\n");
    ck_assert_int_eq(r.status, 200);
    ck_assert_str_eq(web_header(&r, "Content-Type"), "text/html; charset=utf-8");
    ck_assert_ptr_nonnull(strstr(web_header(&r, "Content-Security-Policy"), "default-src 'none'"));
    ck_assert_str_eq(web_header(&r, "X-Content-Type-Options"), "nosniff");
    ck_assert_str_eq(web_header(&r, "Set-Cookie"), "");
    ck_assert_str_eq(web_header(&r, "Content-Encoding"), "");
    ck_assert_ptr_null(strstr(r.body, "<script>"));
    snprintf(request, sizeof request, "GET / HTTP/1.1\r\nHost: x\r\nIf-None-Match: %s\r\n\r\n",
             web_header(&r, "ETag"));
    pts_web_reply_free(&r);
    r = web_ask(port, request);
    ck_assert_int_eq(r.status, 304);
    pts_web_reply_free(&r);
    r = web_ask(port, "GET /page.css HTTP/1.1\r\nHost: x\r\nAccept-Encoding: gzip\r\n\r\n");
    ck_assert_int_eq(r.status, 200);
    ck_assert_str_eq(web_header(&r, "Content-Encoding"), "gzip");
    ck_assert_int_eq(memcmp(r.body, "\x1f\x8b", 2), 0);
    pts_web_reply_free(&r);
    r = web_ask(port, "GET /api/v1/openapi.json HTTP/1.1\r\nHost: x\r\n\r\n");
    json_decref(json_of(&r, 200));
    stop();
}
END_TEST

START_TEST(form_answers_with_a_page)
{
    web_text body = {NULL, 0, 0};
    start_quick();
    web_field(&body, "target", "0.3");
    web_field(&body, "lang", "ru");
    add_photos(&body, 4);
    web_reply r = web_post(port, "/predict", &body, "");
    ck_assert_int_eq(r.status, 200);
    ck_assert_str_eq(web_header(&r, "Content-Language"), "ru");
    ck_assert_ptr_nonnull(strstr(r.body, "<html lang=\"ru\">"));
#ifdef PTS_HAVE_PLOT
    ck_assert_ptr_nonnull(strstr(r.body, "<img src=\"data:image/svg+xml;base64,"));
#endif
    ck_assert_ptr_null(strstr(r.body, "{{"));
    pts_web_reply_free(&r);
    web_field(&body, "target", "<b>&\"'");
    r = web_post(port, "/predict", &body, "");
    ck_assert_int_eq(r.status, 400);
    ck_assert_ptr_nonnull(strstr(r.body, "target: expected an mAP between 0 and 1, got "
                                         "&#39;&lt;b&gt;&amp;&quot;&#39;&#39;"));
    pts_web_reply_free(&r);
    stop();
}
END_TEST

/* ---- limits and mistakes ---- */

static void refused_fields(const char *name, const char *value, const char *field,
                           const char *message)
{
    web_text body = {NULL, 0, 0};
    if (strcmp(name, "target") != 0)
        web_field(&body, "target", "0.3");
    web_field(&body, name, value);
    add_photos(&body, 4);
    expect_error(web_post(port, "/api/v1/predict", &body, ""), 400, field, message);
}

START_TEST(fields_are_checked)
{
    start_quick();
    refused_fields("target", "x", "target", "target: expected an mAP between 0 and 1, got 'x'");
    refused_fields("target", "", "target", "expected target, the wanted mAP");
    refused_fields("confidence", "1", "confidence",
                   "confidence: expected above 0 and below 1, got 1");
    refused_fields("confidence", "x", "confidence", "confidence: expected a number, got 'x'");
    refused_fields("rounds", "21", "rounds", "rounds: expected 1 … 20, got 21");
    refused_fields("rounds", "1.5", "rounds", "rounds: expected a whole number, got '1.5'");
    refused_fields("cost_per_image", "-1", "cost_per_image",
                   "cost_per_image: expected at least 0, got -1");
    refused_fields("mode", "study", "mode", "mode: expected pts or ptssp, got 'study'");
    refused_fields("mode", "ptssp", "mode",
                   "mode: ptssp needs inception_v3 with a head of the study's");
    refused_fields("prior", "../../etc/passwd", "images",
                   "expected either prior or photographs, got both");
    web_text body = {NULL, 0, 0};
    web_field(&body, "target", "0.5");
    web_field(&body, "prior", "../../etc/passwd");
    expect_error(web_post(port, "/api/v1/predict", &body, ""), 400, "prior",
                 "prior: no prior '../../etc/passwd' (there is: builtin)");
    refused_fields("prior", "builtin", "images", "expected either prior or photographs, got both");
    refused_fields("encoder", "resnet", "encoder",
                   "encoder: no encoder 'resnet' (there is: clip_vit)");
    refused_fields("depth", "1", NULL, "no field 'depth'");
    refused_fields("pilot", "n,map\n10,2\n20,1e3\n", "pilot",
                   "pilot: line 3: column map: expected a number in 0 … 100, got '1e3'");
    stop();
}
END_TEST

static web_reply post_images(int count, const char *name, const char *type, const char *data,
                             size_t size)
{
    web_text body = {NULL, 0, 0};
    web_field(&body, "target", "0.3");
    add_photos(&body, count);
    if (name)
        web_file(&body, name, type, data, size);
    return web_post(port, "/api/v1/predict", &body, "");
}

START_TEST(photographs_are_checked)
{
    char *data;
    size_t size;
    start_quick();
    expect_error(post_images(3, NULL, NULL, NULL, 0), 400, "images",
                 "expected 4 photographs, got 3");
    expect_error(post_images(5, NULL, NULL, NULL, 0), 400, "images",
                 "expected 4 photographs, got 5");
    expect_error(post_images(3, "../a.jpg", "image/jpeg", "GIF89a", 6), 415, "images",
                 "../a.jpg: expected a JPEG, PNG or BMP image");
    expect_error(post_images(3, "a.png", "image/png", "\xFF\xD8\xFF\xE0", 4), 415, "images",
                 "a.png: expected image/jpeg as its first bytes say, got image/png");
    ck_assert_int_eq(pts_read_file(test_data("photos/1.jpg"), 1 << 24, &data, &size, NULL), PTS_OK);
    web_reply r = post_images(3, "cut.jpg", "image/jpeg", data, size / 2);
    json_t *root = json_of(&r, 400), *e = json_object_get(root, "error");
    ck_assert_int_eq(strncmp(json_string_value(json_object_get(e, "message")), "cut.jpg: ", 9), 0);
    ck_assert_str_eq(json_string_value(json_object_get(e, "field")), "images");
    json_decref(root);
    free(data);
    /* And the next one is answered. */
    r = post_images(4, NULL, NULL, NULL, 0);
    json_decref(json_of(&r, 200));
    stop();
}
END_TEST

START_TEST(sizes_are_limited)
{
    make_folder(&quick);
    pts_web_options o = make_options();
    o.image_bytes = 20000;
    o.image_pixels = 100 * 100;
    o.body_bytes = 70000;
    start(&o);
    char *data = calloc(1, 80000);
    memcpy(data, "BM", 2);
    expect_error(post_images(3, "big.bmp", "image/bmp", data, 20001), 413, "images",
                 "big.bmp: expected at most 20000 bytes, got 20001");
    web_reply r = post_images(4, NULL, NULL, NULL, 0);
    json_t *root = json_of(&r, 413), *e = json_object_get(root, "error");
    ck_assert_ptr_nonnull(strstr(json_string_value(json_object_get(e, "message")), "pixels"));
    json_decref(root);
    web_text body = {NULL, 0, 0};
    web_file(&body, "a.bmp", "image/bmp", data, 80000);
    r = web_post(port, "/api/v1/predict", &body, "");
    root = json_of(&r, 413);
    json_decref(root);
    free(data);
    /* Chunks say no length before. */
    int fd = web_connect(port);
    static const char head[] = "POST /api/v1/predict HTTP/1.1\r\nHost: x\r\nContent-Type: "
                               "multipart/form-data; boundary=b\r\nTransfer-Encoding: "
                               "chunked\r\n\r\n";
    web_send(fd, head, strlen(head));
    char chunk[1000 + 8];
    int length = snprintf(chunk, sizeof chunk, "3e8\r\n%01000d\r\n", 0);
    for (int i = 0; i < 71; i++)
        web_send(fd, chunk, (size_t)length);
    web_send(fd, "0\r\n\r\n", 5);
    expect_error(web_read(fd), 413, NULL, "expected a body of at most 70000 bytes, got more");
    close(fd);
    stop();
}
END_TEST

START_TEST(paths_and_methods)
{
    static const char *const unknown[] = {
        "/nope",           "/../../etc/passwd", "/%2e%2e/etc/passwd", "//etc/passwd",
        "/answer.en.html", "answer.en.html",    "/api/v1/",           "/page.css/",
        "/healthz%00",     "/api/v1/models/"};
    char request[256];
    start_quick();
    for (size_t i = 0; i < sizeof unknown / sizeof *unknown; i++) {
        snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", unknown[i]);
        expect_error(web_ask(port, request), 404, NULL, "no such path");
    }
    web_reply r = web_ask(port, "GET /api/v1/curve HTTP/1.1\r\nHost: x\r\n\r\n");
    ck_assert_str_eq(web_header(&r, "Allow"), "POST");
    expect_error(r, 405, NULL, "/api/v1/curve: expected POST, got GET");
    r = web_ask(port, "DELETE / HTTP/1.1\r\nHost: x\r\n\r\n");
    ck_assert_str_eq(web_header(&r, "Allow"), "GET, HEAD");
    expect_error(r, 405, NULL, "assets: expected GET, HEAD, got DELETE");
    r = web_ask(port, "POST /api/v1/curve HTTP/1.1\r\nHost: x\r\nSec-Fetch-Site: cross-site\r\n"
                      "Content-Length: 0\r\n\r\n");
    expect_error(r, 403, NULL, "Sec-Fetch-Site: expected this site, got another");
    r = web_ask(port, "POST /api/v1/curve HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\n"
                      "Content-Length: 1\r\n\r\nx");
    expect_error(r, 415, NULL, "Content-Type: expected a form or JSON, got 'text/plain'");
    stop();
    ck_assert_ptr_nonnull(strstr(log_text, " GET /healthz%00 404 "));
}
END_TEST

START_TEST(token_guards)
{
    static const char secret[] = "correct-horse-battery";
    make_folder(&quick);
    pts_web_options o = make_options();
    o.token = secret;
    start(&o);
    web_reply r = web_ask(port, "GET /api/v1/models HTTP/1.1\r\nHost: x\r\n\r\n");
    ck_assert_str_eq(web_header(&r, "WWW-Authenticate"), "Bearer");
    expect_error(r, 401, NULL, "expected the token: Authorization: Bearer …");
    r = web_ask(port, "GET /metrics HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer "
                      "correct-horse-batterz\r\n\r\n");
    ck_assert_int_eq(r.status, 401);
    pts_web_reply_free(&r);
    r = web_ask(port, "GET /api/v1/models HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer "
                      "correct-horse-battery\r\n\r\n");
    json_decref(json_of(&r, 200));
    r = web_ask(port, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    ck_assert_int_eq(r.status, 200);
    pts_web_reply_free(&r);
    web_text body = {NULL, 0, 0};
    web_field(&body, "target", "0.3");
    web_field(&body, "prior", "builtin");
    r = web_post(port, "/predict", &body, "");
    ck_assert_int_eq(r.status, 401);
    pts_web_reply_free(&r);
    web_field(&body, "target", "0.3");
    web_field(&body, "prior", "builtin");
    web_field(&body, "token", secret);
    r = web_post(port, "/predict", &body, "");
    ck_assert_int_eq(r.status, 200);
    pts_web_reply_free(&r);
    stop();
}
END_TEST

static void refuse_start(pts_web_options *o, pts_status status, const char *message)
{
    pts_error err;
    ck_assert_int_eq(pts_web_start(&server, o, &err), status);
    ck_assert_ptr_null(server);
    ck_assert_str_eq(err.message, message);
}

START_TEST(start_refuses)
{
    make_folder(&quick);
    pts_web_options o = make_options();
    o.address = "0.0.0.0";
    refuse_start(&o, PTS_ERR_ARGUMENT,
                 "bind: 0.0.0.0 can be reached from outside: expected a token or insecure");
    o.address = "example.com";
    refuse_start(&o, PTS_ERR_ARGUMENT,
                 "bind: expected a numeric IPv4 or IPv6 address or localhost, got 'example.com'");
    o.address = "127.0.0.1";
    o.token = "short";
    refuse_start(&o, PTS_ERR_ARGUMENT, "token: expected at least 16 characters, got 5");
    o.token = NULL;
    pts_web *other;
    pts_error err;
    ck_assert_int_eq(pts_web_start(&other, &o, NULL), PTS_OK);
    o.port = pts_web_port(other);
    char message[128];
    snprintf(message, sizeof message, "127.0.0.1 port %d: Address already in use", o.port);
    refuse_start(&o, PTS_ERR_IO, message);
    pts_web_stop(other);
    o.port = 0;
    o.head_count = 0;
    o.encoder_count = 0;
    ck_assert_int_eq(pts_web_start(&other, &o, &err), PTS_OK); /* priors and curves alone */
    pts_web_stop(other);
    free_options(&o);
    remove_folder();
}
END_TEST

/* ---- several at once ---- */

typedef struct crowd {
    pthread_t threads[8];
    atomic_int ok, full, other;
} crowd;

static void *ask_once(void *user)
{
    crowd *c = user;
    web_reply r = post_images(4, NULL, NULL, NULL, 0);
    bool retry = atoi(web_header(&r, "Retry-After")) >= 1;
    atomic_fetch_add(r.status == 200 ? &c->ok : r.status == 503 && retry ? &c->full : &c->other, 1);
    pts_web_reply_free(&r);
    return NULL;
}

static void ask_at_once(crowd *c)
{
    for (size_t i = 0; i < 8; i++)
        ck_assert_int_eq(pthread_create(&c->threads[i], NULL, ask_once, c), 0);
    for (size_t i = 0; i < 8; i++)
        pthread_join(c->threads[i], NULL);
}

START_TEST(full_queue_is_503)
{
    crowd c = {.ok = 0};
    make_folder(&slow);
    pts_web_options o = make_options();
    o.queue = 1;
    start(&o);
    ask_at_once(&c);
    ck_assert_int_eq(c.other, 0);
    ck_assert_int_ge(c.ok, 1);
    ck_assert_int_ge(c.full, 1);
    stop();
}
END_TEST

START_TEST(waiting_has_an_end)
{
    crowd c = {.ok = 0};
    make_folder(&slow);
    pts_web_options o = make_options();
    o.queue_seconds = 0;
    start(&o);
    ask_at_once(&c);
    ck_assert_int_eq(c.other, 0);
    ck_assert_int_ge(c.full, 1);
    ck_assert_int_eq(c.ok + c.full, 8);
    stop();
}
END_TEST

START_TEST(several_at_once_get_the_same_answer)
{
    crowd c = {.ok = 0};
    start_quick();
    ask_at_once(&c);
    ck_assert_int_eq(c.ok, 8);
    stop();
}
END_TEST

/* ---- clients that misbehave ---- */

/* A byte every 100 ms: seconds until the other side has had enough. */
static double dribble(const char *text)
{
    int fd = web_connect(port);
    double begin = pts_clock();
    const struct timespec pause = {0, 100000000};
    for (size_t i = 0; pts_clock() - begin < 20; i++) {
        char byte;
        if (!web_send(fd, text[i] ? &text[i] : "x", 1) || recv(fd, &byte, 1, MSG_DONTWAIT) == 0)
            break;
        nanosleep(&pause, NULL);
    }
    close(fd);
    return pts_clock() - begin;
}

START_TEST(slow_clients_are_cut)
{
    make_folder(&quick);
    pts_web_options o = make_options();
    o.header_seconds = 1;
    o.body_seconds = 2;
    start(&o);
    ck_assert_double_lt(dribble("GET / HTTP/1.1\r\nHost: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"), 6);
    int fd = web_connect(port); /* sends nothing at all */
    char byte;
    ck_assert_int_le((int)recv(fd, &byte, 1, 0), 0);
    close(fd);
    fd = web_connect(port);
    static const char head[] = "POST /api/v1/curve HTTP/1.1\r\nHost: x\r\nContent-Type: "
                               "application/json\r\nContent-Length: 1000\r\n\r\n";
    web_send(fd, head, strlen(head));
    double begin = pts_clock();
    ck_assert_int_le((int)recv(fd, &byte, 1, 0), 0);
    ck_assert_double_lt(pts_clock() - begin, 6);
    close(fd);
    web_reply r = web_ask(port, "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n");
    ck_assert_ptr_nonnull(strstr(r.body, "\npts_http_slow_clients_total 3\n"));
    pts_web_reply_free(&r);
    stop();
}
END_TEST

START_TEST(garbage_is_survived)
{
    static const char *const garbage[] = {
        "\r\n\r\n\r\n",
        "GET\r\n\r\n",
        "GET / HTTP/9.9\r\n\r\n",
        "\x16\x03\x01\x02\x00\x01\x00",
        "GET / HTTP/1.1\r\n\r\n", /* no Host */
        "POST /api/v1/curve HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        "POST /api/v1/curve HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999\r\n\r\n",
        "POST /api/v1/curve HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\nGARBAGE\x01\x02\x03 / \r\n\r\n"};
    start_quick();
    for (size_t i = 0; i < sizeof garbage / sizeof *garbage; i++) {
        int fd = web_connect(port);
        web_send(fd, garbage[i], strlen(garbage[i]));
        shutdown(fd, SHUT_WR);
        char rest[4096];
        while (recv(fd, rest, sizeof rest, 0) > 0)
            ;
        close(fd);
    }
    web_text long_head = {NULL, 0, 0};
    web_print(&long_head, "GET / HTTP/1.1\r\nHost: x\r\n");
    for (int i = 0; i < 2000; i++)
        web_print(&long_head, "X-%d: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n", i);
    web_print(&long_head, "\r\n");
    web_reply r = web_exchange(port, &long_head);
    ck_assert_int_ne(r.status, 200);
    pts_web_reply_free(&r);
    free(long_head.data);
    r = web_ask(port, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n");
    json_decref(json_of(&r, 200));
    stop();
}
END_TEST

START_TEST(pipelined_requests_are_answered_in_order)
{
    start_quick();
    int fd = web_connect(port);
    static const char two[] = "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\nGET /nope HTTP/1.1\r\nHost: "
                              "x\r\n\r\n";
    web_send(fd, two, strlen(two));
    web_reply r = web_read(fd);
    json_decref(json_of(&r, 200));
    expect_error(web_read(fd), 404, NULL, "no such path");
    close(fd);
    stop();
}
END_TEST

START_TEST(multipart_is_read_strictly)
{
    static const char *const wrong[][2] = {
        {"boundary=b", "--b\r\nContent-Disposition: form-data; name=\"target\"\r\n\r\n0.3\r\n"},
        {"boundary=b", "--c\r\n\r\n--c--"},
        {"boundary=b", ""},
        {"boundary=b", "--b\r\nContent-Disposition: form-data\r\n\r\nx\r\n--b--"},
        {"boundary=b", "--b\r\nContent-Disposition: attachment; name=\"a\"\r\n\r\nx\r\n--b--"},
        {"boundary=b", "--b\r\nX: y\r\n\r\nx\r\n--b--"},
        {"boundary=b", "--b\r\nno blank line\r\n--b--"},
        {"boundary=b", "--bX\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nx\r\n--b--"},
        {"boundary=", "--\r\n"},
        {"x=y", "--b--"},
    };
    start_quick();
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        web_text t = {NULL, 0, 0};
        web_print(&t,
                  "POST /api/v1/predict HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; "
                  "%s\r\nContent-Length: %zu\r\n\r\n%s",
                  wrong[i][0], strlen(wrong[i][1]), wrong[i][1]);
        web_reply r = web_exchange(port, &t);
        ck_assert_msg(r.status == 400, "%zu: %d %s", i, r.status, r.body ? r.body : "");
        pts_web_reply_free(&r);
        free(t.data);
    }
    /* What browsers and curl do send: quotes in names, an empty body part, a preamble of none. */
    web_text body = {NULL, 0, 0};
    web_field(&body, "target", "0.3");
    web_file(&body, "a\\\"b;c.gif", "image/gif", "GIF89a", 6);
    add_photos(&body, 3);
    expect_error(web_post(port, "/api/v1/predict", &body, ""), 415, "images",
                 "a\"b;c.gif: expected a JPEG, PNG or BMP image");
    stop();
}
END_TEST

START_TEST(log_lines_are_whole)
{
    start_quick();
    web_reply r = web_ask(port, "GET /a\x1b[31mb\\c HTTP/1.1\r\nHost: x\r\n\r\n");
    pts_web_reply_free(&r);
    r = post_json("/api/v1/curve", "{\"params\": \"0.1,2,50,0.6\", \"at\": 50}");
    size_t size = r.size;
    pts_web_reply_free(&r);
    stop();
    char end[64];
    ck_assert_ptr_nonnull(strstr(log_text, " GET /a\\x1B[31mb\\x5Cc 404 "));
    snprintf(end, sizeof end, " ms 36 in %zu out\n", size);
    ck_assert_msg(strstr(log_text, end) != NULL, "%s not in %s", end, log_text);
    ck_assert_ptr_nonnull(strstr(log_text, " POST /api/v1/curve 200 "));
}
END_TEST

/* ---- the command and its signals ---- */

static pid_t serve(const char *more)
{
    char command[1024];
    snprintf(command, sizeof command, "exec ptsinfer serve --port 0 -w %s --head %s %s 2>%s",
             in_folder("enc.ptsw"), in_folder("head.ptsw"), more, in_folder("log"));
    pid_t child = fork();
    if (child == 0) {
        find_programs_first();
        execl("/bin/sh", "sh", "-c", command, (char *)NULL);
        _exit(127);
    }
    for (int i = 0; i < 1200; i++) {
        const struct timespec pause = {0, 50000000};
        char text[4096] = "";
        FILE *file = fopen(in_folder("log"), "r");
        if (file) {
            size_t used = fread(text, 1, sizeof text - 1, file);
            text[used] = '\0';
            fclose(file);
        }
        if (sscanf(text, "ptsinfer serve: http://127.0.0.1:%d/\n", &port) == 1 &&
            strchr(text, '\n'))
            return child;
        nanosleep(&pause, NULL);
    }
    ck_abort_msg("ptsinfer serve has not begun");
    return 0;
}

static void expect_end(pid_t child)
{
    int status;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(WIFEXITED(status));
    ck_assert_int_eq(WEXITSTATUS(status), 0);
}

START_TEST(sigterm_finishes_the_work_in_hand)
{
    make_folder(&slow);
    pid_t child = serve("");
    web_text body = {NULL, 0, 0};
    web_field(&body, "target", "0.3");
    add_photos(&body, 4);
    web_text t = web_form_request("/api/v1/predict", &body, "");
    int fd = web_connect(port), idle = web_connect(port);
    web_send(fd, t.data, t.size - 1); /* all but the last byte: in hand, and not yet begun */
    const struct timespec pause = {0, 200000000};
    nanosleep(&pause, NULL);
    kill(child, SIGTERM);
    nanosleep(&pause, NULL);
    web_send(fd, t.data + t.size - 1, 1);
    web_reply r = web_read(fd);
    ck_assert_str_eq(web_header(&r, "Connection"), "close");
    json_decref(json_of(&r, 200));
    expect_end(child);
    close(fd);
    close(idle);
    free(t.data);
    remove_folder();
}
END_TEST

typedef struct stream {
    atomic_bool stop;
    atomic_int asked, failed;
} stream;

static void *ask_on(void *user)
{
    stream *s = user;
    while (!atomic_load(&s->stop)) {
        web_reply r = post_images(4, NULL, NULL, NULL, 0);
        atomic_fetch_add(&s->asked, 1);
        if (r.status != 200)
            atomic_fetch_add(&s->failed, 1);
        pts_web_reply_free(&r);
    }
    return NULL;
}

static void wait_for_trainer(const char *trainer)
{
    for (int i = 0; i < 600; i++) {
        const struct timespec pause = {0, 50000000};
        web_reply r = web_ask(port, "GET /api/v1/models HTTP/1.1\r\nHost: x\r\n\r\n");
        bool found = strstr(r.body, trainer) != NULL;
        pts_web_reply_free(&r);
        if (found)
            return;
        nanosleep(&pause, NULL);
    }
    ck_abort_msg("no trainer '%s'", trainer);
}

START_TEST(sighup_changes_models_without_a_dropped_request)
{
    pthread_t threads[3];
    stream s = {.asked = 0};
    char trainer[32];
    make_folder(&quick);
    pid_t child = serve("");
    for (size_t i = 0; i < 3; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, ask_on, &s), 0);
    for (int i = 0; i < 4; i++) {
        snprintf(trainer, sizeof trainer, "trainer %d", i);
        write_head(in_folder("head.ptsw"), trainer);
        kill(child, SIGHUP);
        wait_for_trainer(trainer);
    }
    /* A file that is no head: all stays as it was. */
    ck_assert_int_eq(run_program("echo x > %s", in_folder("head.ptsw")), 0);
    kill(child, SIGHUP);
    wait_for_trainer("trainer 3");
    atomic_store(&s.stop, true);
    for (size_t i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
    ck_assert_int_ge(s.asked, 3);
    ck_assert_int_eq(s.failed, 0);
    kill(child, SIGTERM);
    expect_end(child);
    ck_assert_int_eq(run_program("grep -c 'weights reloaded' %s", in_folder("log")), 0);
    ck_assert_str_eq(ran.out, "4\n");
    remove_folder();
}
END_TEST

START_TEST(serve_refuses)
{
    make_folder(&quick);
    ck_assert_int_eq(run_program("echo short > %s", in_folder("token")), 0);
    char line[512];
    snprintf(line, sizeof line, "ptsinfer serve --token-file %s", in_folder("token"));
    check_refused(1, line,
                  "ptsinfer serve: %s: expected one line of 16 … 256 printable characters without "
                  "blanks\n",
                  in_folder("token"));
    check_refused(2, "ptsinfer serve --bind ::",
                  "ptsinfer serve: --bind: :: can be reached from outside: expected a token or "
                  "insecure\n");
    check_refused(2, "ptsinfer serve --port 70000",
                  "ptsinfer serve: --port: expected 0 … 65535, got 70000\n");
    check_refused(2, "ptsinfer serve --queue 0",
                  "ptsinfer serve: --queue: expected 1 … 10000, got 0\n");
    check_refused(1, "ptsinfer serve --port 0 -w /nonexistent/e.ptsw",
                  "ptsinfer serve: /nonexistent/e.ptsw: No such file or directory\n");
    remove_folder();
}
END_TEST

CHECK_SUITE_WITH("web", train_head, remove_head, LABEL_CASES predict_equals_the_library,
                 pasted_pilots_and_plain_forms_are_read_alike, detail_draws_the_figure,
                 json_takes_as_much_pilot_text_as_a_form, json_has_no_more_fields_than_a_form,
                 no_field_comes_twice, curve_equals_the_command_line,
                 curve_refuses_in_the_command_lines_words, models_health_and_metrics,
                 page_and_its_parts, form_answers_with_a_page, fields_are_checked,
                 photographs_are_checked, sizes_are_limited, paths_and_methods, token_guards,
                 start_refuses, waiting_has_an_end, several_at_once_get_the_same_answer,
                 garbage_is_survived, pipelined_requests_are_answered_in_order,
                 multipart_is_read_strictly, log_lines_are_whole, serve_refuses, SLOW,
                 slow_clients_are_cut, sighup_changes_models_without_a_dropped_request,
                 sigterm_finishes_the_work_in_hand, full_queue_is_503)
