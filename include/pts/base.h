/* pts/base.h: what every other header of pts builds on: status codes, error messages, the thread
 * team and the progress callback.
 *
 *   pts_error err;
 *   pts_team *team;
 *   if (pts_team_create(&team, 0, &err) != PTS_OK) {
 *       fprintf(stderr, "%s\n", err.message);
 *       return 1;
 *   }
 *   ...
 *   pts_team_destroy(team);
 *
 * Rules that hold for the whole library:
 *   - It never prints, never exits and never reads the environment.
 *   - Every function that can fail returns a pts_status, and where it takes a `pts_error *err`
 *     it leaves there one line that names the file, the tensor, row or line, what was expected
 *     and what was got. `err` may be NULL. On success its content is left alone.
 *   - Objects are opaque. X_create/X_open give one to the caller, who owns it and gives it to
 *     X_destroy/X_close; those accept NULL. On failure the out pointer is set to NULL.
 *   - Distinct objects may be used by distinct threads at once. One object is for one thread at
 *     a time, unless its header says that it is immutable.
 *   - Arrays are dense and row-major, images are NHWC, numbers are little-endian on disk.
 */
#ifndef PTS_BASE_H
#define PTS_BASE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define PTS_VERSION_STRING "0.2.0"

typedef enum pts_status {
    PTS_OK = 0,
    PTS_ERR_ARGUMENT,    /* the caller broke a contract: a null pointer, a size of zero … */
    PTS_ERR_IO,          /* the operating system refused: no such file, disk full … */
    PTS_ERR_FORMAT,      /* the bytes are not what the format says */
    PTS_ERR_LIMIT,       /* larger than a limit set here or by the caller */
    PTS_ERR_MEMORY,      /* no memory */
    PTS_ERR_SHAPE,       /* a tensor or table has other dimensions than expected */
    PTS_ERR_NUMERIC,     /* not finite, singular, did not converge */
    PTS_ERR_UNSUPPORTED, /* valid, but not known to this build */
    PTS_ERR_CANCELLED    /* the progress callback asked to stop */
} pts_status;

/* A short English phrase for a status, never NULL. */
const char *pts_strerror(pts_status status);

/* Where a function leaves its message: one line, NUL-terminated, cut to fit. */
typedef struct pts_error {
    char message[512];
} pts_error;

/* How this library was built; the strings live as long as the process. */
typedef struct pts_build {
    const char *version;
    const char *features; /* "json mpi plot": Meson's features that are compiled in; "": none */
    const char *blas;     /* "OpenBLAS 0.3.21 …": version and options, in its own words */
    const char *kernels;  /* "Zen": those it chose for this processor */
} pts_build;
pts_build pts_build_info(void);

/* Called between units of work with `done` of `total` units of `stage`, from the thread that
 * made the call. A return other than 0 stops the work: the call returns PTS_ERR_CANCELLED. */
typedef int (*pts_progress)(void *user, const char *stage, size_t done, size_t total);

/* A fixed team of threads. Creating one holds OpenBLAS itself to one thread for the rest of the
 * process: the team is the only source of parallelism, as two pools on the same cores fight
 * (OpenBLAS issue 731). */
typedef struct pts_team pts_team;

/* Threads 1 … 256, or 0: as many as this process may run on (its affinity mask). */
pts_status pts_team_create(pts_team **out, int threads, pts_error *err);
void pts_team_destroy(pts_team *team);
int pts_team_threads(const pts_team *team);

/* Calls work(user, task, thread) once for each task in [0, tasks), thread in [0, threads);
 * returns when all are done. Each thread takes its share of them in rising order, then what others
 * have not come to. Not reentrant: work must not run the same team. A NULL team runs all in the
 * calling thread, in rising order, thread = 0. */
void pts_team_run(pts_team *team, size_t tasks, void (*work)(void *user, size_t task, int thread),
                  void *user);

#ifdef __cplusplus
}
#endif

#endif
