/* The thread team: each thread has its share of the tasks, in order, and takes from the others'
 * when it is done with it. So the same thread meets the same part of a map in every layer, and
 * finds it in its own cache; with one counter for all, half of what it read lay in its neighbour's.
 *
 * A forward pass is a hundred short runs, microseconds apart, and waking a sleeper costs tens of
 * them: a network of 27 ms lost 3 to it. So who waits (a worker for the next run, the caller for
 * the last worker) first spins for a while, and only then sleeps on a condition. A count of
 * sleepers, raised before the last look at what is waited for, tells the other side whether
 * there is someone to wake. */
#define _GNU_SOURCE
#include "base/error.h"
#include "base/memory.h"

#include <cblas.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>

#define MAX_THREADS 256

/* About 40 µs on processors whose pause takes 140 cycles, a third of it where it takes 40. */
enum { SPINS = 1000 };

/* The tasks [next, end) of one thread; a cache line of its own. */
typedef struct share {
    _Alignas(64) atomic_size_t next;
    size_t end;
} share;

struct pts_team {
    int threads;
    int spins;          /* 0 where there are more threads than cores: spinning would hold one */
    cpu_set_t allowed;  /* the process's processors */
    int caller_cpu;     /* the one that workers keep off; -1: none yet */
    pthread_t *workers; /* [threads - 1]: the caller is thread 0 */
    int started;
    pthread_mutex_t mutex;
    pthread_cond_t wake, idle;
    atomic_ulong generation;
    atomic_int sleepers, waiting; /* workers, the caller: asleep or about to be */
    atomic_int running, stop;
    share *shares; /* [threads] */
    void (*work)(void *, size_t, int);
    void *user;
};

typedef struct worker_arg {
    pts_team *team;
    int thread;
} worker_arg;

static void deal(pts_team *team, size_t tasks)
{
    const size_t threads = (size_t)team->threads;
    size_t begin = 0;
    for (size_t i = 0; i < threads; i++) {
        size_t end = begin + tasks / threads + (i < tasks % threads);
        atomic_store_explicit(&team->shares[i].next, begin, memory_order_relaxed);
        team->shares[i].end = end;
        begin = end;
    }
}

static void drain(pts_team *team, int thread)
{
    for (int i = 0; i < team->threads; i++) {
        share *s = &team->shares[(thread + i) % team->threads];
        size_t task;
        while ((task = atomic_fetch_add_explicit(&s->next, 1, memory_order_relaxed)) < s->end)
            team->work(team->user, task, thread);
    }
}

static void relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#endif
}

static bool is_news(pts_team *team, unsigned long seen)
{
    return atomic_load(&team->generation) != seen || atomic_load(&team->stop);
}

/* Returns when there is a run after the one seen, or the end. */
static void await_run(pts_team *team, unsigned long seen)
{
    for (int i = 0; i < team->spins; i++) {
        if (is_news(team, seen))
            return;
        relax();
    }
    pthread_mutex_lock(&team->mutex);
    atomic_fetch_add(&team->sleepers, 1);
    while (!is_news(team, seen))
        pthread_cond_wait(&team->wake, &team->mutex);
    atomic_fetch_sub(&team->sleepers, 1);
    pthread_mutex_unlock(&team->mutex);
}

static void await_workers(pts_team *team)
{
    for (int i = 0; i < team->spins; i++) {
        if (atomic_load(&team->running) == 0)
            return;
        relax();
    }
    pthread_mutex_lock(&team->mutex);
    atomic_store(&team->waiting, 1);
    while (atomic_load(&team->running) > 0)
        pthread_cond_wait(&team->idle, &team->mutex);
    atomic_store(&team->waiting, 0);
    pthread_mutex_unlock(&team->mutex);
}

static void signal_if(pts_team *team, atomic_int *sleeping, pthread_cond_t *condition)
{
    if (atomic_load(sleeping) > 0) {
        pthread_mutex_lock(&team->mutex);
        pthread_cond_broadcast(condition);
        pthread_mutex_unlock(&team->mutex);
    }
}

/* A worker that is woken tends to be put on its waker's processor, and stays there for a whole
 * forward pass: after a pause two threads took as long as one. So workers are kept off the
 * processor that the caller is on. Only advice: where it is refused, time is lost and no more. */
static void keep_off_caller(pts_team *team)
{
    int cpu = sched_getcpu();
    cpu_set_t others = team->allowed;
    if (cpu < 0 || cpu == team->caller_cpu || !team->spins)
        return;
    CPU_CLR(cpu, &others);
    for (int i = 0; i < team->started && CPU_COUNT(&others) > 0; i++)
        (void)pthread_setaffinity_np(team->workers[i], sizeof others, &others);
    team->caller_cpu = cpu;
}

static void *worker_main(void *arg)
{
    worker_arg self = *(worker_arg *)arg;
    pts_team *team = self.team;
    free(arg);
    for (unsigned long seen = 0;; seen++) {
        await_run(team, seen);
        if (atomic_load(&team->stop))
            return NULL;
        drain(team, self.thread);
        if (atomic_fetch_sub(&team->running, 1) == 1)
            signal_if(team, &team->waiting, &team->idle);
    }
}

static int usable_cores(cpu_set_t *set)
{
    CPU_ZERO(set);
    if (sched_getaffinity(0, sizeof *set, set) != 0)
        return 1;
    int count = CPU_COUNT(set);
    return count < 1 ? 1 : count > MAX_THREADS ? MAX_THREADS : count;
}

static pts_status start_workers(pts_team *team, pts_error *err)
{
    PTS_TRY(pts_new(&team->workers, (size_t)team->threads, sizeof *team->workers, err));
    PTS_TRY(pts_new(&team->shares, (size_t)team->threads, sizeof *team->shares, err));
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
    pts_team *team;
    PTS_TRY(pts_new(&team, 1, sizeof *team, err));
    pthread_mutex_init(&team->mutex, NULL);
    pthread_cond_init(&team->wake, NULL);
    pthread_cond_init(&team->idle, NULL);
    int cores = usable_cores(&team->allowed);
    team->caller_cpu = -1;
    team->threads = threads ? threads : cores;
    team->spins = team->threads > cores ? 0 : SPINS;
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
    atomic_store(&team->stop, 1);
    signal_if(team, &team->sleepers, &team->wake);
    for (int i = 0; i < team->started; i++)
        pthread_join(team->workers[i], NULL);
    pthread_cond_destroy(&team->idle);
    pthread_cond_destroy(&team->wake);
    pthread_mutex_destroy(&team->mutex);
    free(team->workers);
    free(team->shares);
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
    deal(team, tasks);
    team->work = work;
    team->user = user;
    atomic_store(&team->running, team->threads - 1);
    if (atomic_load(&team->sleepers) > 0)
        keep_off_caller(team);
    atomic_fetch_add(&team->generation, 1);
    signal_if(team, &team->sleepers, &team->wake);
    drain(team, 0);
    await_workers(team);
}
