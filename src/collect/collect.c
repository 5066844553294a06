/* The road of a job: taken in the store, measured here or by another rank, its points put down.
 * One process alone is a master without workers. */
#include "pts/collect.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/memory.h"
#include "collect/farm.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The store is told that this run lives several times within PTS_STORE_STALE. */
#define BEAT_SECONDS (PTS_STORE_STALE / 6.0)
/* How long the master waits for a message when it has nothing else to do. */
#define WAIT_SECONDS 0.2
/* So many first failures with one reason end the run. */
enum { ALIKE = 3 };

struct pts_collection {
    pts_collect_options options;
    worklist worklist;
};

typedef struct master {
    pts_store *store;
    const pts_collect_options *options;
    const worklist *worklist;
    worker worker;
    char settings[512];
    pts_collect_listener listener;
    void *user;
    pts_collect_report *report;
    int64_t *claims;       /* [jobs]: numbers in the store of those taken */
    bool *over;            /* [jobs]: handed out, or not to be done */
    size_t left, finished; /* jobs not over; jobs settled */
    int away;              /* ranks that are at a job or will ask for one */
    size_t *last;          /* [ranks]: a rank's last job, or FARM_NO_JOB */
    int *on_set;           /* [sets]: ranks whose last job is of it */
    int *on_split;         /* [splits]: the same */
    size_t alike;          /* the run's first failures, while they say the same */
    pts_error first;       /* what they say */
    double last_beat;
    pts_status status; /* what went wrong within a callback */
    pts_error error;
} master;

const char *pts_collect_mode_text(pts_collect_mode mode)
{
    static const char *const texts[] = {"fresh", "incremental", "base"};
    return texts[mode];
}

static pts_status tell(const master *m, const pts_collect_event *event, pts_error *err)
{
    if (m->listener(m->user, event))
        return pts_fail(err, PTS_ERR_CANCELLED, "interrupted");
    return PTS_OK;
}

pts_status pts_collection_open(pts_collection **out, const char *const *dirs, size_t count,
                               const pts_collect_options *options, pts_collect_listener listener,
                               void *user, pts_error *err)
{
    *out = NULL;
    pts_collection *c;
    PTS_TRY(pts_new(&c, 1, sizeof *c, err));
    c->options = *options;
    pts_status status =
        pts_worklist_make(&c->worklist, dirs, count, &c->options, listener, user, err);
    if (status != PTS_OK) {
        pts_collection_close(c);
        return status;
    }
    *out = c;
    return PTS_OK;
}

void pts_collection_close(pts_collection *collection)
{
    if (!collection)
        return;
    pts_worklist_free(&collection->worklist);
    free(collection);
}

/* ---- the store's side ---- */

/* All that decides the result besides the trainer. */
static void write_settings(master *m, const pts_trainer *trainer)
{
    const pts_collect_options *o = m->options;
    size_t size = sizeof m->settings, used;
    used = (size_t)snprintf(m->settings, size, "%.300s", pts_trainer_settings(trainer));
    if (o->keep < 1)
        used += (size_t)snprintf(m->settings + used, size - used, ", keep %.6g", o->keep);
    if (o->mode != PTS_COLLECT_FRESH)
        snprintf(m->settings + used, size - used, ", sizes %.60s, stop %zu %.6g%s", o->sizes,
                 o->stop_window, o->stop_threshold, o->select_on_test ? ", chosen on test" : "");
}

/* The key says all that decides a result, and nothing else: hosts and threads do not. */
static pts_status take(const master *m, const worklist_job *job, pts_store_claim *claim,
                       pts_error *err)
{
    const worklist_set *set = &m->worklist->sets[job->set];
    const pts_store_job key = {.dataset = pts_dataset_name(set->set),
                               .hash = set->hash,
                               .class_id = job->class_id,
                               .class_name = pts_dataset_class_name(set->set, job->class_id),
                               .trainer = pts_trainer_name(m->worker.trainer),
                               .settings = m->settings,
                               .mode = pts_collect_mode_text(m->options->mode),
                               .seed = job->seed,
                               .n = job->n};
    return pts_store_take(m->store, &key, m->options->retry, claim, err);
}

/* Whatever became of a job, the bar counts it once. */
static pts_status tell_over(master *m, const worklist_job *job, pts_collect_what what,
                            const char *message, pts_error *err)
{
    pts_collect_event event = pts_worker_event(m->worklist, job, what);
    event.message = message;
    if (message)
        PTS_TRY(tell(m, &event, err));
    event = pts_worker_event(m->worklist, job, PTS_COLLECT_JOB);
    event.done = ++m->finished;
    event.total = m->worklist->job_count;
    return tell(m, &event, err);
}

/* *mine: the job is to be measured; else it is over. */
static pts_status claim_job(master *m, size_t index, bool *mine, pts_error *err)
{
    const worklist_job *job = &m->worklist->jobs[index];
    pts_store_claim claim;
    m->over[index] = true;
    m->left--;
    PTS_TRY(take(m, job, &claim, err));
    *mine = claim.state == PTS_STORE_TAKEN;
    m->claims[index] = claim.job;
    switch (claim.state) {
    case PTS_STORE_TAKEN:
        return PTS_OK;
    case PTS_STORE_FAILED:
        m->report->failed++;
        return tell_over(m, job, PTS_COLLECT_FAILED, claim.reason, err);
    case PTS_STORE_OPEN:
        m->report->elsewhere++;
        return tell_over(m, job, PTS_COLLECT_ELSEWHERE, claim.reason, err);
    case PTS_STORE_DONE:
        break;
    }
    m->report->done_before++;
    return tell_over(m, job, PTS_COLLECT_JOB, NULL, err);
}

/* Messages begin with the job's folder, which is another's each time. */
static const char *reason_of(const pts_error *error)
{
    const char *colon = strstr(error->message, ": ");
    return colon ? colon + 2 : error->message;
}

/* A command that cannot work would otherwise fail every job, each after its folder is made. */
static pts_status check_alike(master *m, const farm_result *r, pts_error *err)
{
    if (m->report->done || (m->alike && strcmp(reason_of(&m->first), reason_of(&r->error)) != 0))
        m->alike = ALIKE; /* the trainer works, or its failures are the jobs' own */
    if (m->alike == ALIKE)
        return PTS_OK;
    m->first = r->error;
    if (++m->alike < ALIKE || !m->left)
        return PTS_OK;
    return pts_fail(err, r->status,
                    "stopped, as the first %d jobs failed alike (those left stay to be tried): "
                    "%.300s",
                    ALIKE, r->error.message);
}

/* What became of a claimed job goes into the store; only what stops everything is returned. */
static pts_status settle(master *m, const farm_result *r, pts_error *err)
{
    const worklist_job *job = &m->worklist->jobs[r->job];
    int64_t id = m->claims[r->job];
    if (r->status == PTS_ERR_CANCELLED || r->status == PTS_ERR_MEMORY) {
        pts_store_release(m->store, id, NULL);
        return pts_fail(err, r->status, "%s", r->error.message);
    }
    if (r->status == PTS_OK) {
        PTS_TRY(pts_store_done(m->store, id, r->points, r->count, err));
        m->report->done++;
        return tell_over(m, job, PTS_COLLECT_JOB, NULL, err);
    }
    PTS_TRY(pts_store_failed(m->store, id, r->error.message, err));
    m->report->failed++;
    PTS_TRY(tell_over(m, job, PTS_COLLECT_FAILED, r->error.message, err));
    return check_alike(m, r, err);
}

/* ---- choosing and handing out ---- */

enum { FARTHEST = 5 };

/* How little a job suits a rank: 0 of the split it has at hand, 1 of a split of the same data set
 * that no rank has, 2 of that data set, 3 of one that no rank has, 4 of a split that no rank has, 5
 * else. What a rank has made the
 * features of is worth keeping to: images cost more than jobs of few of them. */
static int distance(const master *m, int rank, const worklist_job *job)
{
    const worklist_job *last =
        m->last[rank] == FARM_NO_JOB ? NULL : &m->worklist->jobs[m->last[rank]];
    if (last && last->split == job->split)
        return 0;
    if (last && last->set == job->set)
        return m->on_split[job->split] ? 2 : 1;
    if (!m->on_set[job->set])
        return 3;
    return m->on_split[job->split] ? 5 : 4;
}

/* The first of those that suit the rank best. */
static size_t next_job(const master *m, int rank)
{
    size_t best = FARM_NO_JOB;
    int least = FARTHEST + 1;
    for (size_t i = 0; least && i < m->worklist->job_count; i++) {
        int far = m->over[i] ? FARTHEST + 1 : distance(m, rank, &m->worklist->jobs[i]);
        if (far < least) {
            least = far;
            best = i;
        }
    }
    return best;
}

/* The rank has changed over to a job. */
static void note_place(master *m, int rank, size_t index)
{
    const worklist_job *jobs = m->worklist->jobs;
    if (m->last[rank] != FARM_NO_JOB) {
        m->on_set[jobs[m->last[rank]].set]--;
        m->on_split[jobs[m->last[rank]].split]--;
    }
    m->last[rank] = index;
    m->on_set[jobs[index].set]++;
    m->on_split[jobs[index].split]++;
}

/* A claimed job for the rank, or FARM_NO_JOB where none is left. */
static pts_status choose_job(master *m, int rank, size_t *index, pts_error *err)
{
    bool mine = false;
    *index = FARM_NO_JOB;
    while (!mine && m->left) {
        *index = next_job(m, rank);
        PTS_TRY(claim_job(m, *index, &mine, err));
    }
    if (!mine)
        *index = FARM_NO_JOB;
    else
        note_place(m, rank, *index);
    return PTS_OK;
}

/* Of another rank only whole jobs are heard. */
static pts_status tell_points(const master *m, const farm_result *r, pts_error *err)
{
    for (size_t i = 0; i < r->count; i++) {
        pts_collect_event event =
            pts_worker_event(m->worklist, &m->worklist->jobs[r->job], PTS_COLLECT_POINT);
        event.n = r->points[i].n;
        event.point = &r->points[i];
        PTS_TRY(tell(m, &event, err));
    }
    return PTS_OK;
}

/* A rank's result is also its question for the next job. */
static pts_status answer(master *m, const farm_result *r, pts_error *err)
{
    size_t index;
    if (r->job < m->worklist->job_count) {
        PTS_TRY(tell_points(m, r, err));
        PTS_TRY(settle(m, r, err));
    }
    PTS_TRY(choose_job(m, r->from, &index, err));
    m->away -= index == FARM_NO_JOB;
    return pts_farm_hand_out(m->options->ranks, r->from, index, err);
}

/* Answers what other ranks have sent; waits for the first of it up to `seconds`. */
static pts_status serve(master *m, double seconds, pts_error *err)
{
    while (m->away) {
        farm_result result;
        bool there;
        PTS_TRY(pts_farm_receive(m->options->ranks, seconds, &result, &there, err));
        if (!there)
            return PTS_OK;
        pts_status status = answer(m, &result, err);
        free(result.points);
        PTS_TRY(status);
        seconds = 0;
    }
    return PTS_OK;
}

/* ---- the loop ---- */

static pts_status beat(master *m, pts_error *err)
{
    double now = pts_clock();
    if (now - m->last_beat < BEAT_SECONDS)
        return PTS_OK;
    m->last_beat = now;
    return pts_store_beat(m->store, err);
}

/* Called all through a training of our own: other ranks are served meanwhile. */
static int on_event(void *user, const pts_collect_event *event)
{
    master *m = user;
    m->status = beat(m, &m->error);
    if (m->status == PTS_OK)
        m->status = serve(m, 0, &m->error);
    return m->status != PTS_OK || m->listener(m->user, event);
}

/* A failure of the store or of a rank, met within the training, stops it and outranks its
 * status. */
static pts_status run_own_job(master *m, size_t index, pts_error *err)
{
    farm_result r = {.job = index};
    r.status =
        pts_worker_measure(&m->worker, &m->worklist->jobs[index], &r.points, &r.count, &r.error);
    if (m->status != PTS_OK) {
        r.status = PTS_ERR_CANCELLED;
        r.error = m->error;
    }
    pts_status status = settle(m, &r, err);
    free(r.points);
    return m->status != PTS_OK ? m->status : status;
}

/* The master works too, and is at others' service between and during its own jobs. */
static pts_status run_jobs(master *m, pts_error *err)
{
    const pts_collect_event planned = {.what = PTS_COLLECT_PLANNED,
                                       .total = m->worklist->job_count};
    PTS_TRY(tell(m, &planned, err));
    while (m->left) {
        size_t index;
        PTS_TRY(serve(m, 0, err));
        PTS_TRY(choose_job(m, 0, &index, err));
        if (index != FARM_NO_JOB)
            PTS_TRY(run_own_job(m, index, err));
    }
    const pts_collect_event waiting = {.what = PTS_COLLECT_TRAINING, .message = "other ranks"};
    while (m->away) {
        PTS_TRY(beat(m, err));
        PTS_TRY(serve(m, WAIT_SECONDS, err));
        PTS_TRY(tell(m, &waiting, err));
    }
    return PTS_OK;
}

/* A hash says nothing to people: where the data lay is kept beside it. */
static pts_status note_sets(const master *m, pts_error *err)
{
    for (size_t i = 0; i < m->worklist->set_count; i++) {
        const worklist_set *set = &m->worklist->sets[i];
        const pts_store_dataset note = {
            .name = pts_dataset_name(set->set),
            .hash = set->hash,
            .images = pts_dataset_images(set->set),
            .classes = (size_t)pts_dataset_classes(set->set),
            .path = pts_dataset_dir(set->set),
        };
        PTS_TRY(pts_store_note(m->store, &note, err));
    }
    return PTS_OK;
}

static pts_status make_lists(master *m, pts_error *err)
{
    size_t jobs = m->worklist->job_count, ranks = (size_t)pts_ranks_count(m->options->ranks);
    PTS_TRY(pts_new(&m->claims, jobs, sizeof *m->claims, err));
    PTS_TRY(pts_new(&m->over, jobs, sizeof *m->over, err));
    PTS_TRY(pts_new(&m->last, ranks, sizeof *m->last, err));
    PTS_TRY(pts_new(&m->on_set, m->worklist->set_count, sizeof *m->on_set, err));
    PTS_TRY(pts_new(&m->on_split, m->worklist->split_count, sizeof *m->on_split, err));
    for (size_t r = 0; r < ranks; r++)
        m->last[r] = FARM_NO_JOB;
    return PTS_OK;
}

static void free_lists(master *m)
{
    free(m->claims);
    free(m->over);
    free(m->last);
    free(m->on_set);
    free(m->on_split);
}

static pts_status lead(master *m, pts_error *err)
{
    m->left = m->report->jobs = m->worklist->job_count;
    m->away = pts_ranks_count(m->options->ranks) - 1;
    m->last_beat = pts_clock();
    PTS_TRY(make_lists(m, err));
    PTS_TRY(note_sets(m, err));
    return run_jobs(m, err);
}

pts_status pts_collection_run(pts_collection *collection, pts_trainer *trainer, pts_store *store,
                              pts_collect_listener listener, void *user, pts_collect_report *report,
                              pts_error *err)
{
    const pts_collect_options *options = &collection->options;
    *report = (pts_collect_report){0};
    master m = {.store = store,
                .options = options,
                .worklist = &collection->worklist,
                .worker = {trainer, &collection->worklist, options, NULL, listener, user},
                .listener = listener,
                .user = user,
                .report = report};
    if (pts_ranks_rank(options->ranks) > 0)
        return pts_farm_work(options->ranks, &m.worker, err);
    write_settings(&m, trainer);
    m.worker.tell = on_event;
    m.worker.user = &m;
    pts_status status = lead(&m, err);
    free_lists(&m);
    return status;
}
