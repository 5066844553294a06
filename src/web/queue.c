#define _GNU_SOURCE /* gettid */
#include "web/queue.h"

#include "pts/image.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

/* The encoder gives way to the threads that talk to clients: a question about a curve takes
 * microseconds and would else wait for a time slice behind it. */
enum { NICE = 5, BATCH_IMAGES = 8 };

struct web_queue {
    const pts_web_options *options;
    pts_image_limits limits;
    pthread_mutex_t mutex;
    pthread_cond_t wake; /* the worker */
    pthread_cond_t done; /* those who wait for jobs or a reload */
    pthread_t worker;
    pts_team *team;
    web_models *models;
    web_turn *first, **last;
    web_queue_state state;
    bool stop, reload;
    pts_status loaded; /* of the last reload */
    pts_error error;
    unsigned long loads; /* how many there were */
};

/* ---- a batch ---- */

typedef struct batch {
    web_queue *queue;
    web_turn *jobs[BATCH_IMAGES];
    size_t count;
    pthread_mutex_t mutex; /* of the jobs' failures */
} batch;

static void note_failure(batch *b, web_turn *job, size_t image, pts_status status,
                         const pts_error *err)
{
    pthread_mutex_lock(&b->mutex);
    if (job->status == PTS_OK || image < job->failed) {
        job->status = status;
        job->failed = image;
        job->error = *err;
    }
    pthread_mutex_unlock(&b->mutex);
}

static pts_status make_ready(const web_queue *q, const web_turn *job, const web_image *image,
                             float *out, pts_error *err)
{
    pts_image pixels;
    const pts_encoder *encoder = job->model->encoder;
    const char *preset = job->preset ? job->preset : pts_encoder_preset(encoder);
    pts_status status =
        pts_image_decode(image->name, image->data, image->size, &q->limits, &pixels, err);
    if (status != PTS_OK)
        return status;
    status = pts_preset_apply(preset, &pixels, pts_encoder_input_size(encoder), out, err);
    pts_image_free(&pixels);
    return status;
}

/* A photograph that cannot be read fails its own request only: the batch goes on with zeros. */
static pts_status make_image(void *user, size_t index, float *out, pts_error *err)
{
    batch *b = user;
    web_turn *job = b->jobs[index / WEB_PHOTOGRAPHS];
    size_t image = index % WEB_PHOTOGRAPHS, side = pts_encoder_input_size(job->model->encoder);
    pts_status status = make_ready(b->queue, job, &job->images[image], out, err);
    if (status != PTS_OK) {
        note_failure(b, job, image, status, err);
        memset(out, 0, side * side * 3 * sizeof *out);
    }
    return PTS_OK;
}

static void fail_all(batch *b, pts_status status, const pts_error *err)
{
    for (size_t i = 0; i < b->count; i++)
        note_failure(b, b->jobs[i], 0, status, err);
}

static void run_batch(batch *b)
{
    pts_error err;
    const web_turn *job = b->jobs[0];
    const size_t dim = pts_encoder_dim(job->model->encoder), row = WEB_PHOTOGRAPHS * dim;
    float *out = b->count > 1 ? malloc(b->count * row * sizeof *out) : job->embeddings;
    if (!out) {
        fail_all(b, PTS_ERR_MEMORY, &(pts_error){"out of memory"});
        return;
    }
    pts_status status = pts_encoder_embed_from(job->model->encoder, make_image, b,
                                               b->count * WEB_PHOTOGRAPHS, out, &err);
    if (status != PTS_OK)
        fail_all(b, status, &err);
    for (size_t i = 0; i < b->count && b->count > 1; i++)
        memcpy(b->jobs[i]->embeddings, out + i * row, row * sizeof *out);
    if (b->count > 1)
        free(out);
}

/* ---- the worker ---- */

static bool same_run(const web_turn *a, const web_turn *b)
{
    bool same_preset =
        a->preset == b->preset || (a->preset && b->preset && strcmp(a->preset, b->preset) == 0);
    return a->model == b->model && same_preset;
}

static void unlink_job(web_queue *q, web_turn **place)
{
    web_turn *job = *place;
    *place = job->next;
    if (!job->next)
        q->last = place;
    q->state.waiting--;
}

/* The first job, and those behind it that run with it. */
static void take_batch(web_queue *q, batch *b)
{
    for (web_turn **place = &q->first; *place;) {
        web_turn *job = *place;
        if (b->count && !same_run(b->jobs[0], job)) {
            place = &job->next;
            continue;
        }
        unlink_job(q, place);
        job->state = WEB_TURN_RUNNING;
        b->jobs[b->count++] = job;
        if ((b->count + 1) * WEB_PHOTOGRAPHS > BATCH_IMAGES)
            return;
    }
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Called and left with the mutex held. */
static void work(web_queue *q)
{
    batch b = {.queue = q};
    double begin = now();
    take_batch(q, &b);
    pthread_mutex_unlock(&q->mutex);
    pthread_mutex_init(&b.mutex, NULL);
    run_batch(&b);
    pthread_mutex_destroy(&b.mutex);
    pthread_mutex_lock(&q->mutex);
    for (size_t i = 0; i < b.count; i++)
        b.jobs[i]->state = WEB_TURN_DONE;
    q->state.batches++;
    q->state.images += b.count * WEB_PHOTOGRAPHS;
    q->state.seconds += now() - begin;
    pthread_cond_broadcast(&q->done);
}

/* Called and left with the mutex held. The team is made in this thread, as its threads inherit the
 * priority. */
static void load(web_queue *q)
{
    web_models *fresh, *old = NULL;
    pts_error err;
    pts_status status = PTS_OK;
    pthread_mutex_unlock(&q->mutex);
    if (!q->team)
        status = pts_team_create(&q->team, q->options->threads, &err);
    if (status == PTS_OK)
        status = pts_web_models_load(&fresh, q->options, q->team, &err);
    pthread_mutex_lock(&q->mutex);
    if (status == PTS_OK) {
        old = q->models;
        q->models = fresh;
    } else {
        q->error = err;
    }
    q->loaded = status;
    q->loads++;
    q->reload = false;
    pthread_cond_broadcast(&q->done);
    pthread_mutex_unlock(&q->mutex);
    pts_web_models_release(old);
    pthread_mutex_lock(&q->mutex);
}

static void serve(web_queue *q)
{
    pthread_mutex_lock(&q->mutex);
    for (;;) {
        if (q->reload)
            load(q);
        else if (q->first)
            work(q);
        else if (q->stop)
            break;
        else
            pthread_cond_wait(&q->wake, &q->mutex);
    }
    pthread_mutex_unlock(&q->mutex);
}

static void *worker_main(void *user)
{
    web_queue *q = user;
    setpriority(PRIO_PROCESS, (id_t)gettid(), NICE);
    serve(q);
    pts_web_models_release(q->models);
    pts_team_destroy(q->team);
    return NULL;
}

/* ---- from outside ---- */

pts_status pts_web_queue_reload(web_queue *q, pts_error *err)
{
    pthread_mutex_lock(&q->mutex);
    unsigned long before = q->loads;
    q->reload = true;
    pthread_cond_signal(&q->wake);
    while (q->loads == before)
        pthread_cond_wait(&q->done, &q->mutex);
    pts_status status = q->loaded;
    if (status != PTS_OK)
        *err = q->error;
    pthread_mutex_unlock(&q->mutex);
    return status;
}

static void free_queue(web_queue *q)
{
    pthread_cond_destroy(&q->wake);
    pthread_cond_destroy(&q->done);
    pthread_mutex_destroy(&q->mutex);
    free(q);
}

/* Time limits are on the monotonic clock. */
static void init_condition(pthread_cond_t *condition)
{
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(condition, &attributes);
    pthread_condattr_destroy(&attributes);
}

pts_status pts_web_queue_create(web_queue **out, const pts_web_options *options, pts_error *err)
{
    *out = NULL;
    web_queue *q = calloc(1, sizeof *q);
    if (!q) {
        snprintf(err->message, sizeof err->message, "out of memory");
        return PTS_ERR_MEMORY;
    }
    q->options = options;
    q->limits = (pts_image_limits){options->image_pixels, options->image_bytes};
    q->last = &q->first;
    q->state.capacity = options->queue;
    pthread_mutex_init(&q->mutex, NULL);
    init_condition(&q->wake);
    init_condition(&q->done);
    if (pthread_create(&q->worker, NULL, worker_main, q) != 0) {
        free_queue(q);
        snprintf(err->message, sizeof err->message, "the encoder's thread could not be started");
        return PTS_ERR_IO;
    }
    pts_status status = pts_web_queue_reload(q, err);
    if (status == PTS_OK)
        *out = q;
    else
        pts_web_queue_destroy(q);
    return status;
}

void pts_web_queue_destroy(web_queue *q)
{
    if (!q)
        return;
    pthread_mutex_lock(&q->mutex);
    q->stop = true;
    pthread_cond_signal(&q->wake);
    pthread_mutex_unlock(&q->mutex);
    pthread_join(q->worker, NULL);
    free_queue(q);
}

web_models *pts_web_queue_models(web_queue *q)
{
    pthread_mutex_lock(&q->mutex);
    atomic_fetch_add(&q->models->references, 1);
    web_models *models = q->models;
    pthread_mutex_unlock(&q->mutex);
    return models;
}

static void push(web_queue *q, web_turn *job)
{
    job->state = WEB_TURN_WAITING;
    job->status = PTS_OK;
    job->next = NULL;
    *q->last = job;
    q->last = &job->next;
    q->state.waiting++;
}

static bool any_in(const web_turn *jobs, size_t count, web_turn_state state)
{
    for (size_t i = 0; i < count; i++) {
        if (jobs[i].state == state)
            return true;
    }
    return false;
}

static bool is_among(const web_turn *job, const web_turn *jobs, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (job == &jobs[i])
            return true;
    }
    return false;
}

/* Those whose turn has not come leave the queue. */
static bool withdraw(web_queue *q, web_turn *jobs, size_t count)
{
    bool withdrawn = false;
    for (web_turn **place = &q->first; *place;) {
        if (is_among(*place, jobs, count)) {
            (*place)->state = WEB_TURN_DONE;
            unlink_job(q, place);
            withdrawn = true;
        } else {
            place = &(*place)->next;
        }
    }
    return withdrawn;
}

/* A batch that has begun is waited for, as it reads the caller's memory; it does not take long. */
static web_queue_result await(web_queue *q, web_turn *jobs, size_t count)
{
    struct timespec until;
    bool expired = false, late = false;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += q->options->queue_seconds;
    while (any_in(jobs, count, WEB_TURN_WAITING) || any_in(jobs, count, WEB_TURN_RUNNING)) {
        if (expired) {
            pthread_cond_wait(&q->done, &q->mutex);
        } else if (pthread_cond_timedwait(&q->done, &q->mutex, &until) != 0) {
            expired = true;
            late = withdraw(q, jobs, count);
        }
    }
    return late ? WEB_QUEUE_LATE : WEB_QUEUE_DONE;
}

web_queue_result pts_web_queue_run(web_queue *q, web_turn *jobs, size_t count)
{
    web_queue_result result = WEB_QUEUE_FULL;
    pthread_mutex_lock(&q->mutex);
    if (q->stop) {
        result = WEB_QUEUE_STOPPING;
    } else if (q->state.waiting + count <= q->state.capacity) {
        for (size_t i = 0; i < count; i++)
            push(q, &jobs[i]);
        pthread_cond_signal(&q->wake);
        result = await(q, jobs, count);
    }
    pthread_mutex_unlock(&q->mutex);
    return result;
}

web_queue_state pts_web_queue_look(web_queue *q)
{
    pthread_mutex_lock(&q->mutex);
    web_queue_state state = q->state;
    pthread_mutex_unlock(&q->mutex);
    return state;
}

unsigned pts_web_queue_retry(web_queue *q)
{
    web_queue_state s = pts_web_queue_look(q);
    double image = s.images ? s.seconds / (double)s.images : 0;
    double wait = image * WEB_PHOTOGRAPHS * (double)s.waiting;
    return wait < 1 ? 1 : wait > 60 ? 60 : (unsigned)(wait + 0.999);
}
