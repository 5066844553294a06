#define _GNU_SOURCE /* gettid */
#include "web/queue.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/memory.h"
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
    pthread_cond_t done; /* those who wait for turns or a reload */
    pthread_t worker;
    pts_team *team;
    pts_models *models;
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
    web_turn *turns[BATCH_IMAGES];
    size_t count;
    pthread_mutex_t mutex; /* of the turns' failures */
} batch;

static void note_failure(batch *b, web_turn *turn, size_t image, pts_status status,
                         const pts_error *err)
{
    pthread_mutex_lock(&b->mutex);
    if (turn->status == PTS_OK || image < turn->failed) {
        turn->status = status;
        turn->failed = image;
        turn->error = *err;
    }
    pthread_mutex_unlock(&b->mutex);
}

/* A photograph that cannot be read fails its own request only: the batch goes on with zeros. */
static pts_status make_image(void *user, size_t index, float *out, pts_error *err)
{
    batch *b = user;
    web_turn *turn = b->turns[index / PTS_PHOTOGRAPHS];
    size_t image = index % PTS_PHOTOGRAPHS, side = pts_encoder_input_size(turn->model->encoder);
    const char *preset = turn->preset ? turn->preset : pts_encoder_preset(turn->model->encoder);
    pts_status status =
        pts_photograph_ready(&turn->images[image], &b->queue->limits, preset, side, out, err);
    if (status != PTS_OK) {
        note_failure(b, turn, image, status, err);
        memset(out, 0, side * side * 3 * sizeof *out);
    }
    return PTS_OK;
}

static void fail_all(batch *b, pts_status status, const pts_error *err)
{
    for (size_t i = 0; i < b->count; i++)
        note_failure(b, b->turns[i], 0, status, err);
}

static void run_batch(batch *b)
{
    pts_error err;
    const web_turn *turn = b->turns[0];
    const size_t dim = pts_encoder_dim(turn->model->encoder), row = PTS_PHOTOGRAPHS * dim;
    float *out = b->count > 1 ? malloc(b->count * row * sizeof *out) : turn->embeddings;
    if (!out) {
        fail_all(b, PTS_ERR_MEMORY, &(pts_error){"out of memory"});
        return;
    }
    pts_status status = pts_encoder_embed_from(turn->model->encoder, make_image, b,
                                               b->count * PTS_PHOTOGRAPHS, out, &err);
    if (status != PTS_OK)
        fail_all(b, status, &err);
    for (size_t i = 0; i < b->count && b->count > 1; i++)
        memcpy(b->turns[i]->embeddings, out + i * row, row * sizeof *out);
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

static void unlink_turn(web_queue *q, web_turn **place)
{
    web_turn *turn = *place;
    *place = turn->next;
    if (!turn->next)
        q->last = place;
    q->state.waiting--;
}

/* The first turn, and those behind it that run with it. */
static void take_batch(web_queue *q, batch *b)
{
    for (web_turn **place = &q->first; *place;) {
        web_turn *turn = *place;
        if (b->count && !same_run(b->turns[0], turn)) {
            place = &turn->next;
            continue;
        }
        unlink_turn(q, place);
        turn->state = WEB_TURN_RUNNING;
        b->turns[b->count++] = turn;
        if ((b->count + 1) * PTS_PHOTOGRAPHS > BATCH_IMAGES)
            return;
    }
}

/* Called and left with the mutex held. */
static void work(web_queue *q)
{
    batch b = {.queue = q};
    double begin = pts_clock();
    take_batch(q, &b);
    pthread_mutex_unlock(&q->mutex);
    pthread_mutex_init(&b.mutex, NULL);
    run_batch(&b);
    pthread_mutex_destroy(&b.mutex);
    pthread_mutex_lock(&q->mutex);
    for (size_t i = 0; i < b.count; i++)
        b.turns[i]->state = WEB_TURN_DONE;
    q->state.batches++;
    q->state.images += b.count * PTS_PHOTOGRAPHS;
    q->state.seconds += pts_clock() - begin;
    pthread_cond_broadcast(&q->done);
}

/* Called and left with the mutex held. The team is made in this thread, as its threads inherit the
 * priority. */
static void load(web_queue *q)
{
    const pts_web_options *o = q->options;
    const pts_model_files files = {o->encoders,   o->encoder_count, o->heads,
                                   o->head_count, o->priors,        o->prior_count};
    pts_models *fresh, *old = NULL;
    pts_error err;
    pts_status status = PTS_OK;
    pthread_mutex_unlock(&q->mutex);
    if (!q->team)
        status = pts_team_create(&q->team, q->options->threads, &err);
    if (status == PTS_OK)
        status = pts_models_load(&fresh, &files, q->team, &err);
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
    pts_models_release(old);
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
    pts_models_release(q->models);
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
    web_queue *q;
    PTS_TRY(pts_new(&q, 1, sizeof *q, err));
    q->options = options;
    q->limits = (pts_image_limits){options->image_pixels, options->image_bytes};
    q->last = &q->first;
    q->state.capacity = options->queue;
    pthread_mutex_init(&q->mutex, NULL);
    init_condition(&q->wake);
    init_condition(&q->done);
    if (pthread_create(&q->worker, NULL, worker_main, q) != 0) {
        free_queue(q);
        return pts_fail(err, PTS_ERR_IO, "the encoder's thread could not be started");
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

pts_models *pts_web_queue_models(web_queue *q)
{
    pthread_mutex_lock(&q->mutex);
    pts_models *models = pts_models_share(q->models);
    pthread_mutex_unlock(&q->mutex);
    return models;
}

static void push(web_queue *q, web_turn *turn)
{
    turn->state = WEB_TURN_WAITING;
    turn->status = PTS_OK;
    turn->next = NULL;
    *q->last = turn;
    q->last = &turn->next;
    q->state.waiting++;
}

/* A turn that has not come leaves the queue. */
static bool withdraw(web_queue *q, web_turn *turn)
{
    for (web_turn **place = &q->first; *place; place = &(*place)->next)
        if (*place == turn) {
            turn->state = WEB_TURN_DONE;
            unlink_turn(q, place);
            return true;
        }
    return false;
}

/* A batch that has begun is waited for, as it reads the caller's memory; it does not take long. */
static web_queue_result await(web_queue *q, web_turn *turn)
{
    struct timespec until;
    bool expired = false, late = false;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += q->options->queue_seconds;
    while (turn->state != WEB_TURN_DONE) {
        if (expired) {
            pthread_cond_wait(&q->done, &q->mutex);
        } else if (pthread_cond_timedwait(&q->done, &q->mutex, &until) != 0) {
            expired = true;
            late = withdraw(q, turn);
        }
    }
    return late ? WEB_QUEUE_LATE : WEB_QUEUE_DONE;
}

web_queue_result pts_web_queue_run(web_queue *q, web_turn *turn)
{
    web_queue_result result = WEB_QUEUE_FULL;
    pthread_mutex_lock(&q->mutex);
    if (q->stop) {
        result = WEB_QUEUE_STOPPING;
    } else if (q->state.waiting < q->state.capacity) {
        push(q, turn);
        pthread_cond_signal(&q->wake);
        result = await(q, turn);
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
    double wait = image * PTS_PHOTOGRAPHS * (double)s.waiting;
    return wait < 1 ? 1 : wait > 60 ? 60 : (unsigned)(wait + 0.999);
}
