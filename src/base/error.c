#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>

#undef pts_fail /* what analysers are told of callers, error.h */
#undef pts_fail_memory

const char *pts_strerror(pts_status status)
{
    switch (status) {
    case PTS_OK:
        return "success";
    case PTS_ERR_ARGUMENT:
        return "invalid argument";
    case PTS_ERR_IO:
        return "input/output error";
    case PTS_ERR_FORMAT:
        return "malformed input";
    case PTS_ERR_LIMIT:
        return "limit exceeded";
    case PTS_ERR_MEMORY:
        return "out of memory";
    case PTS_ERR_SHAPE:
        return "unexpected shape";
    case PTS_ERR_NUMERIC:
        return "numerical failure";
    case PTS_ERR_UNSUPPORTED:
        return "not supported";
    case PTS_ERR_CANCELLED:
        return "cancelled";
    }
    return "unknown status";
}

pts_status pts_fail(pts_error *err, pts_status status, const char *format, ...)
{
    if (err) {
        va_list args;
        va_start(args, format);
        vsnprintf(err->message, sizeof err->message, format, args);
        va_end(args);
    }
    return status;
}

pts_status pts_fail_memory(pts_error *err, size_t bytes)
{
    return pts_fail(err, PTS_ERR_MEMORY, "out of memory: %zu bytes wanted", bytes);
}
