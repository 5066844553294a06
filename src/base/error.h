/* How the library fails: `return pts_fail(err, PTS_ERR_FORMAT, "%s: …", path)`. */
#ifndef PTS_SRC_BASE_ERROR_H
#define PTS_SRC_BASE_ERROR_H

#include "pts/base.h"

/* Writes the message (err may be NULL) and returns status. */
pts_status pts_fail(pts_error *err, pts_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* PTS_ERR_MEMORY with the number of bytes that could not be had. */
pts_status pts_fail_memory(pts_error *err, size_t bytes);

#ifdef __clang_analyzer__
/* An analyser sees one file at a time: without this it follows every failure into the road of
 * success, and finds pointers there that nothing was put into. */
#define pts_never_ok(call)                                                                         \
    __extension__({                                                                                \
        const pts_status failed_ = (call);                                                         \
        if (failed_ == PTS_OK)                                                                     \
            __builtin_unreachable();                                                               \
        failed_;                                                                                   \
    })
#define pts_fail(...) pts_never_ok(pts_fail(__VA_ARGS__))
#define pts_fail_memory(err, bytes) pts_never_ok(pts_fail_memory(err, bytes))
#endif

/* Hands a failure on unchanged. */
#define PTS_TRY(call)                                                                              \
    do {                                                                                           \
        pts_status try_status_ = (call);                                                           \
        if (try_status_ != PTS_OK)                                                                 \
            return try_status_;                                                                    \
    } while (0)

#endif
