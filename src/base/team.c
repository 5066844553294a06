/* The thread team: one mutex, two conditions, tasks handed out by an atomic counter. */
#define _GNU_SOURCE
#include "base/error.h"
#include "base/memory.h"

#include <cblas.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>

#define MAX_THREADS 256

struct pts_team {
    int threads;
    pthread_t *workers; /* [threads - 1]: the caller is thread 0 */
    int started;
    pthread_mutex_t mutex;
    pthread_cond_t wake, idle;
    unsigned long generation;
    int running, stop;
    atomic_size_t next;
    size_t tasks;
    void (*work)(void *, size_t, int);
    void *user;
};

typedef struct worker_arg {
    pts_team *team;
    int thread;
} worker_arg;

static void drain(pts_team *team, int thread)
{
    for (;;) {
        size_t task = atomic_fetch_add_explicit(&team->next, 1, memory_order_relaxed);
        if (task >= team->tasks)
            return;
        team->work(team->user, task, thread);
    }
}

static void *worker_main(void *arg)
{
    worker_arg self = *(worker_arg *)arg;
    pts_team *team = self.team;
    free(arg);
    unsigned long seen = 0;
    pthread_mutex_lock(&team->mutex);
    for (;;) {
        while (!team->stop && team->generation == seen)
            pthread_cond_wait(&team->wake, &team->mutex);
        if (team->stop)
            break;
        seen = team->generation;
        pthread_mutex_unlock(&team->mutex);
        drain(team, self.thread);
        pthread_mutex_lock(&team->mutex);
        if (--team->running == 0)
            pthread_cond_signal(&team->idle);
    }
    pthread_mutex_unlock(&team->mutex);
    return NULL;
}

static int usable_cores(void)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    if (sched_getaffinity(0, sizeof set, &set) != 0)
        return 1;
    int count = CPU_COUNT(&set);
    return count < 1 ? 1 : count > MAX_THREADS ? MAX_THREADS : count;
}

static pts_status start_workers(pts_team *team, pts_error *err)
{
    for (int i = 1; i < team->threads; i++) {
        worker_arg *arg = malloc(sizeof *arg);
        if (!arg)
            return pts_fail_memory(err, sizeof *arg);
        *arg = (worker_arg){team, i};
        if (pthread_create(&team->workers[i - 1], NULL, worker_main, arg) != 0) {
            free(arg);
            return pts_fail(err, PTS_ERR_IO, "thread %d of %d could not be started", i + 1,
                            team->threads);
        }
        team->started++;
    }
    return PTS_OK;
}

pts_status pts_team_create(pts_team **out, int threads, pts_error *err)
{
    *out = NULL;
    if (threads < 0 || threads > MAX_THREADS)
        return pts_fail(err, PTS_ERR_ARGUMENT, "threads: expected 0 … %d, got %d", MAX_THREADS,
                        threads);
    openblas_set_num_threads(1);
    pts_team *team = calloc(1, sizeof *team);
    if (!team)
        return pts_fail_memory(err, sizeof *team);
    team->threads = threads ? threads : usable_cores();
    team->workers = calloc((size_t)team->threads, sizeof *team->workers);
    if (!team->workers) {
        free(team);
        return pts_fail_memory(err, sizeof *team->workers);
    }
    pthread_mutex_init(&team->mutex, NULL);
    pthread_cond_init(&team->wake, NULL);
    pthread_cond_init(&team->idle, NULL);
    pts_status status = start_workers(team, err);
    if (status != PTS_OK) {
        pts_team_destroy(team);
        return status;
    }
    *out = team;
    return PTS_OK;
}

void pts_team_destroy(pts_team *team)
{
    if (!team)
        return;
    pthread_mutex_lock(&team->mutex);
    team->stop = 1;
    pthread_cond_broadcast(&team->wake);
    pthread_mutex_unlock(&team->mutex);
    for (int i = 0; i < team->started; i++)
        pthread_join(team->workers[i], NULL);
    pthread_cond_destroy(&team->idle);
    pthread_cond_destroy(&team->wake);
    pthread_mutex_destroy(&team->mutex);
    free(team->workers);
    free(team);
}

int pts_team_threads(const pts_team *team)
{
    return team ? team->threads : 1;
}

void pts_team_run(pts_team *team, size_t tasks, void (*work)(void *, size_t, int), void *user)
{
    if (!team || team->threads == 1 || tasks <= 1) {
        for (size_t i = 0; i < tasks; i++)
            work(user, i, 0);
        return;
    }
    pthread_mutex_lock(&team->mutex);
    atomic_store(&team->next, 0);
    team->tasks = tasks;
    team->work = work;
    team->user = user;
    team->running = team->threads - 1;
    team->generation++;
    pthread_cond_broadcast(&team->wake);
    pthread_mutex_unlock(&team->mutex);
    drain(team, 0);
    pthread_mutex_lock(&team->mutex);
    while (team->running > 0)
        pthread_cond_wait(&team->idle, &team->mutex);
    pthread_mutex_unlock(&team->mutex);
}
