#include "base/csv.h"
#include "base/error.h"
#include "pts/file.h"

#include <stdlib.h>
#include <string.h>

void pts_csv_field(FILE *file, const char *text)
{
    if (!strpbrk(text, ",\"\r\n")) {
        fputs(text, file);
        return;
    }
    fputc('"', file);
    for (; *text; text++) {
        if (*text == '"')
            fputc('"', file);
        fputc(*text, file);
    }
    fputc('"', file);
}

pts_status pts_csv_open(pts_csv *csv, const char *path, size_t limit, pts_error *err)
{
    char *text;
    size_t size;
    *csv = (pts_csv){.path = path};
    PTS_TRY(pts_read_file(path, limit, &text, &size, err));
    return pts_csv_take(csv, path, text, size, err);
}

pts_status pts_csv_take(pts_csv *csv, const char *path, char *text, size_t size, pts_error *err)
{
    *csv = (pts_csv){.path = path, .next_line = 1};
    csv->text = csv->at = text;
    csv->end = csv->text + size;
    if (size >= 3 && memcmp(csv->text, "\xEF\xBB\xBF", 3) == 0)
        csv->at += 3;
    const char *nul = memchr(csv->text, '\0', size);
    if (nul) {
        pts_status status =
            pts_fail(err, PTS_ERR_FORMAT, "%s: expected text, got a zero byte at %zu", path,
                     (size_t)(nul - csv->text));
        pts_csv_close(csv);
        return status;
    }
    return PTS_OK;
}

void pts_csv_close(pts_csv *csv)
{
    free(csv->text);
    csv->text = NULL;
}

/* Steps over one end of line, if there is one. */
static bool end_of_line(pts_csv *csv)
{
    size_t length = csv->at < csv->end && *csv->at == '\r' && csv->at + 1 < csv->end ? 2 : 1;
    if (csv->at + length > csv->end || csv->at[length - 1] != '\n')
        return false;
    csv->at += length;
    csv->next_line++;
    return true;
}

/* From the opening quote; the text moves left as doubled quotes fall together. */
static pts_status quoted(pts_csv *csv, char **stop, pts_error *err)
{
    char *out = ++csv->at;
    csv->fields[csv->count++] = out;
    for (; csv->at < csv->end; csv->at++) {
        if (*csv->at == '"') {
            if (csv->at + 1 == csv->end || csv->at[1] != '"')
                break;
            csv->at++;
        }
        csv->next_line += *csv->at == '\n';
        *out++ = *csv->at;
    }
    if (csv->at == csv->end)
        return pts_fail(err, PTS_ERR_FORMAT, "%s: line %zu: column %zu: the quote is never closed",
                        csv->path, csv->line, csv->count);
    csv->at++;
    *stop = out;
    return PTS_OK;
}

static pts_status field(pts_csv *csv, char **stop, pts_error *err)
{
    if (csv->count == PTS_CSV_COLUMNS)
        return pts_fail(err, PTS_ERR_LIMIT, "%s: line %zu: more than %d columns", csv->path,
                        csv->line, PTS_CSV_COLUMNS);
    if (csv->at < csv->end && *csv->at == '"')
        return quoted(csv, stop, err);
    csv->fields[csv->count++] = csv->at;
    while (csv->at < csv->end && !strchr(",\r\n\"", *csv->at))
        csv->at++;
    *stop = csv->at;
    return PTS_OK;
}

pts_status pts_csv_next(pts_csv *csv, bool *more, pts_error *err)
{
    *more = false;
    csv->count = 0;
    while (csv->at < csv->end && end_of_line(csv))
        ;
    if (csv->at == csv->end)
        return PTS_OK;
    csv->line = csv->next_line;
    for (bool comma = true; comma;) {
        char *stop = NULL;
        PTS_TRY(field(csv, &stop, err));
        comma = csv->at < csv->end && *csv->at == ',';
        bool done = csv->at == csv->end || comma || end_of_line(csv);
        csv->at += comma;
        if (!done)
            return pts_fail(err, PTS_ERR_FORMAT,
                            "%s: line %zu: column %zu: expected a comma or the end of the line, "
                            "got byte 0x%02X",
                            csv->path, csv->line, csv->count, (unsigned char)*csv->at);
        *stop = '\0';
    }
    *more = true;
    return PTS_OK;
}
