/* The command line and the service share every decision: the same questions, asked both, are
 * answered by the same JSON, byte for byte. With the shipped models. */
#include "check_main.h"
#include "run_program.h"
#include "web_client.h"

#include "pts/file.h"
#include "pts/web.h"

#include <unistd.h>

/* What is asked beside the target: fields of the form as "name=value" and the same as options. */
typedef struct question {
    const char *fields[6]; /* up to NULL */
    const char *options;
    bool photographs, labels; /* the four of yolo-mini, and their labels */
} question;

#define PILOT_1 "n,map\n8,0.11\n"
#define PILOT_3 "n,map\n4,0.08\n16,0.17\n64,0.29\n"
#define PILOT_WEIGHTS "n,map,weight\n4,0.08,1\n16,0.17,2\n64,0.29,3\n"
#define PILOT_FAR "n,map\n10,0.6\n20,0.8\n40,0.9\n"
#define PILOT_PERCENT "n,map\n4,8\n16,17\n64,29\n"

static const question questions[] = {
    {{"target=0.1"}, "--target 0.1", true, false},
    {{"target=0.3"}, "--target 0.3", true, false},
    {{"target=45"}, "--target 45", true, false},
    {{"target=0.99"}, "--target 0.99", true, false},
    {{"target=0.4", "confidence=0.5"}, "--target 0.4 --confidence 0.5", true, false},
    {{"target=0.4", "cost_per_image=2.5"}, "--target 0.4 --cost-per-image 2.5", true, false},
    {{"target=0.4", "rounds=3"}, "--target 0.4 --rounds 3", true, false},
    {{"target=0.4", "rounds=2", "tau=0.01", "cost_per_image=1"},
     "--target 0.4 --rounds 2 --tau 0.01 --cost-per-image 1",
     true,
     false},
    {{"target=0.4", "mode=pts"}, "--target 0.4 --mode pts", true, false},
    {{"target=0.3", "pilot=" PILOT_1}, "--target 0.3 --pilot p.csv", true, false},
    {{"target=0.3", "pilot=" PILOT_3}, "--target 0.3 --pilot p.csv", true, false},
    {{"target=0.5", "pilot=" PILOT_3}, "--target 0.5 --pilot p.csv", true, false},
    {{"target=0.3", "pilot=" PILOT_WEIGHTS}, "--target 0.3 --pilot p.csv", true, false},
    {{"target=0.95", "pilot=" PILOT_FAR}, "--target 0.95 --pilot p.csv", true, false},
    {{"target=0.3", "pilot=" PILOT_PERCENT}, "--target 0.3 --pilot p.csv", true, false},
    {{"target=0.3", "pilot=" PILOT_3, "rounds=3", "cost_per_image=2.5"},
     "--target 0.3 --pilot p.csv --rounds 3 --cost-per-image 2.5",
     true,
     false},
    {{"target=0.2", "class=One"}, "--target 0.2 --class One", true, true},
    {{"target=0.6", "class=One"}, "--target 0.6 --class One", true, true},
    {{"target=0.6", "class=One", "confidence=0.9"},
     "--target 0.6 --class One --confidence 0.9",
     true,
     true},
    {{"target=0.3", "class=One", "pilot=" PILOT_3},
     "--target 0.3 --class One --pilot p.csv",
     true,
     true},
    {{"target=0.6", "class=One", "rounds=2"}, "--target 0.6 --class One --rounds 2", true, true},
    {{"target=0.3", "prior=builtin"}, "--target 0.3 --prior builtin", false, false},
    {{"target=0.6", "prior=builtin"}, "--target 0.6 --prior builtin", false, false},
    {{"target=0.3", "prior=yolov8m-seg"}, "--target 0.3 --prior yolov8m-seg", false, false},
    {{"target=0.7", "prior=yolov8m-seg", "pilot=" PILOT_3},
     "--target 0.7 --prior yolov8m-seg --pilot p.csv",
     false,
     false},
    {{"target=0.3", "prior=builtin", "pilot=" PILOT_3},
     "--target 0.3 --prior builtin --pilot p.csv",
     false,
     false},
    {{"target=0.95", "prior=builtin", "pilot=" PILOT_FAR},
     "--target 0.95 --prior builtin --pilot p.csv",
     false,
     false},
    {{"target=0.3", "prior=builtin", "pilot=" PILOT_PERCENT},
     "--target 0.3 --prior builtin --pilot p.csv",
     false,
     false},
    {{"target=0.05", "prior=yolov8m-seg", "pilot=" PILOT_1, "confidence=0.95"},
     "--target 0.05 --prior yolov8m-seg --pilot p.csv --confidence 0.95",
     false,
     false},
    {{"target=0.3", "prior=builtin", "rounds=5", "tau=0.02"},
     "--target 0.3 --prior builtin --rounds 5 --tau 0.02",
     false,
     false},
};

/* Labels come by class number, as the service knows no data.yaml. */
static const char *const photographs[4] = {"0061", "0063", "0141", "0142"};

static char folder[64];
static pts_web *server;

static const char *weights(const char *name, char path[4096])
{
    const char *root = getenv("PTS_TEST_WEIGHTS");
    snprintf(path, 4096, "%s/%s", root ? root : "weights", name);
    return path;
}

static void start(void)
{
    static char encoder[4096], head[4096], prior[2][4096];
    const char *encoders[] = {weights("inception_v3.ptsw", encoder)};
    const char *heads[] = {weights("head-builtin.ptsw", head)};
    const pts_prior_name priors[] = {{"builtin", weights("prior-builtin.txt", prior[0])},
                                     {"yolov8m-seg", weights("prior-yolov8m-seg.txt", prior[1])}};
    pts_web_options o = PTS_WEB_DEFAULTS;
    pts_error err;
    o.port = 0;
    o.encoders = encoders, o.encoder_count = 1;
    o.heads = heads, o.head_count = 1;
    o.priors = priors, o.prior_count = 2;
    o.threads = 2;
    ck_assert_msg(pts_web_start(&server, &o, &err) == PTS_OK, "%s", err.message);
}

static void write_pilot(const char *text)
{
    char path[128];
    snprintf(path, sizeof path, "%s/p.csv", folder);
    FILE *file = fopen(path, "w");
    ck_assert_ptr_nonnull(file);
    fputs(text, file);
    fclose(file);
}

static void add_field(web_text *body, const char *field)
{
    char name[32];
    const char *value = strchr(field, '=') + 1;
    snprintf(name, sizeof name, "%.*s", (int)(value - 1 - field), field);
    if (strcmp(name, "pilot") == 0)
        write_pilot(value);
    web_field(body, name, strcmp(name, "class") == 0 ? "1" : value);
}

static void add_file(web_text *body, const char *kind, const char *name)
{
    char path[128], *data;
    size_t size;
    bool image = strcmp(kind, "images") == 0;
    snprintf(path, sizeof path, "yolo-mini/train/%s/%s.%s", kind, name, image ? "jpg" : "txt");
    ck_assert_int_eq(pts_read_file(test_data(path), 1 << 24, &data, &size, NULL), PTS_OK);
    if (image)
        web_file(body, "x.jpg", "image/jpeg", data, size);
    else
        web_field(body, "labels", data);
    free(data);
}

static char *ask_service(const question *q)
{
    web_text body = {NULL, 0, 0};
    for (size_t i = 0; i < 6 && q->fields[i]; i++)
        add_field(&body, q->fields[i]);
    for (size_t i = 0; i < 4 && q->labels; i++)
        add_file(&body, "labels", photographs[i]);
    for (size_t i = 0; i < 4 && q->photographs; i++)
        add_file(&body, "images", photographs[i]);
    web_reply r = web_post(pts_web_port(server), "/api/v1/predict", &body, "");
    ck_assert_msg(r.status == 200, "%s: %d: %s", q->options, r.status, r.body);
    char *json = strdup(r.body);
    pts_web_reply_free(&r);
    return json;
}

static const char *ask_command(const question *q)
{
    char set[4096], images[4 * 4200] = "";
    snprintf(set, sizeof set, "%s", test_data("yolo-mini"));
    for (size_t i = 0; i < 4 && q->photographs; i++)
        snprintf(images + strlen(images), sizeof images - strlen(images), " %s/train/images/%s.jpg",
                 set, photographs[i]);
    int code = run_program("cd %s && PTS_WEIGHTS=%s ptsinfer predict --json %s%s%s%s", folder,
                           getenv("PTS_TEST_WEIGHTS"), q->options, q->labels ? " --labels " : "",
                           q->labels ? set : "", images);
    ck_assert_msg(code == 0 || code == 3, "%s: %d: %s", q->options, code, ran.err);
    size_t length = strlen(ran.out);
    ck_assert_uint_gt(length, 0);
    ran.out[length - 1] = '\0'; /* the line's end */
    return ran.out;
}

START_TEST(both_give_the_same_answer)
{
    const size_t count = sizeof questions / sizeof *questions;
    ck_assert_uint_eq(count, 30);
    strcpy(folder, "/tmp/pts_front_ends_XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    start();
    for (size_t i = 0; i < count; i++) {
        char *json = ask_service(&questions[i]);
        ck_assert_str_eq(ask_command(&questions[i]), json);
        free(json);
    }
    ck_assert_int_eq(run_program("rm -r %s", folder), 0);
    pts_web_stop(server);
}
END_TEST

int main(void)
{
    char path[4096];
    if (access(weights("inception_v3.ptsw", path), R_OK) != 0) {
        printf("skipped: no %s\n", path);
        return 77;
    }
    Suite *suite = suite_create("front_ends");
    TCase *tcase = add_tcase(suite, "front_ends", "");
    tcase_set_timeout(tcase, 300);
    tcase_add_test(tcase, both_give_the_same_answer);
    return run_suite(suite);
}
