/* Joins measured curves with the photographs of their data sets. */
#include "learn/embed_cache.h"
#include "learn/tasks.h"

#include "base/error.h"
#include "base/memory.h"
#include "pts/file.h"
#include "pts/hash.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct join {
    pts_tasks *tasks;
    const pts_curve_set *curves;
    const char *path; /* of the curves */
    bool *used;       /* [curves]: a data set has it */
    pts_encoder *encoder;
    const pts_embed_options *options;
} join;

/* Rows of one size are repeats with other seeds: n, map and repeats [curve->count] get the weighted
 * means; returns how many sizes there are. */
static size_t merge_repeats(const pts_curve_points *curve, double *n, double *map, double *repeats)
{
    size_t sizes = 0;
    double weights = 0;
    for (size_t i = 0; i < curve->count; i++) {
        double weight = curve->weight ? curve->weight[i] : 1;
        if (i == 0 || curve->n[i] > curve->n[i - 1]) {
            n[sizes] = curve->n[i];
            map[sizes] = repeats[sizes] = weights = 0;
            sizes++;
        }
        weights += weight;
        map[sizes - 1] += (curve->map[i] - map[sizes - 1]) * weight / weights;
        repeats[sizes - 1] += weight;
    }
    return sizes;
}

/* The photographs that show the class, gathered from the data set's embeddings. */
static void gather(const pts_dataset *set, int class_id, const pts_embeddings *embeddings,
                   float *rows, pts_label_sums *labels)
{
    size_t count, instances, dim = embeddings->dim;
    const size_t *showing = pts_dataset_showing(set, class_id, &count);
    for (size_t i = 0; i < count; i++) {
        const pts_instance *instance = pts_dataset_instances(set, showing[i], &instances);
        memcpy(rows + i * dim, embeddings->values + showing[i] * dim, dim * sizeof *rows);
        pts_label_sums_of(instance, instances, class_id, &labels[i]);
    }
}

/* Masks are the study's, and its room may be missing. */
static pts_status mask_embeddings(pts_embeddings *out, join *j, const pts_dataset *set,
                                  int class_id, pts_error *err)
{
#ifdef PTS_HAVE_STUDY
    return pts_mask_embeddings_of(out, j->encoder, set, class_id, j->options, err);
#else
    (void)out, (void)j, (void)set, (void)class_id;
    return pts_fail(err, PTS_ERR_UNSUPPORTED, "label masks: built without study");
#endif
}

/* *rows [count][dim] become [count][2·dim]. */
static pts_status add_masks(join *j, const pts_dataset *set, int class_id, float **rows,
                            pts_error *err)
{
    pts_embeddings m;
    PTS_TRY(mask_embeddings(&m, j, set, class_id, err));
    float *wide;
    pts_status status = pts_new(&wide, m.images * m.dim, 2 * sizeof *wide, err);
    for (size_t i = 0; wide && i < m.images; i++) {
        memcpy(wide + 2 * i * m.dim, *rows + i * m.dim, m.dim * sizeof *wide);
        memcpy(wide + (2 * i + 1) * m.dim, m.values + i * m.dim, m.dim * sizeof *wide);
    }
    pts_embeddings_free(&m);
    PTS_TRY(status);
    free(*rows);
    *rows = wide;
    return PTS_OK;
}

/* The class of a curve, shown by photographs enough. */
static pts_status find_shown(const pts_dataset *set, const pts_curve_points *curve, int *class_id,
                             size_t *count, pts_error *err)
{
    PTS_TRY(pts_dataset_find_class(set, curve->class_name, class_id, err));
    pts_dataset_showing(set, *class_id, count);
    if (*count < PTS_PHOTOGRAPHS)
        return pts_fail(err, PTS_ERR_SHAPE,
                        "%s: class %s: expected at least %d photographs that show it, got %zu",
                        pts_dataset_dir(set), curve->class_name, PTS_PHOTOGRAPHS, *count);
    return PTS_OK;
}

/* pts_tasks_add copies: what is gathered here is freed whether or not it succeeds. */
static pts_status add_curve(join *j, const pts_curve_points *curve, const pts_dataset *set,
                            const pts_embeddings *embeddings, pts_error *err)
{
    int class_id;
    size_t count, dim = embeddings->dim;
    PTS_TRY(find_shown(set, curve, &class_id, &count, err));
    float *rows = pts_calloc64(count * dim, sizeof *rows);
    pts_label_sums *labels = pts_calloc64(count, sizeof *labels);
    double *means = pts_calloc64(curve->count, 3 * sizeof *means);
    pts_status status;
    if (!rows || !labels || !means)
        status = pts_fail_memory(err, count * dim * sizeof *rows);
    else {
        double *map = means + curve->count, *repeats = map + curve->count;
        gather(set, class_id, embeddings, rows, labels);
        status = j->options && j->options->masks ? add_masks(j, set, class_id, &rows, err) : PTS_OK;
        pts_task task = {.dataset = curve->dataset,
                         .class_name = pts_dataset_class_name(set, class_id),
                         .points = merge_repeats(curve, means, map, repeats),
                         .n = means,
                         .map = map,
                         .images = count,
                         .embeddings = rows,
                         .repeats = repeats,
                         .labels = labels,
                         .measured = curve};
        if (status == PTS_OK)
            status = pts_tasks_add(j->tasks, &task, err);
    }
    free(rows);
    free(labels);
    free(means);
    return status;
}

static size_t curves_of(const join *j, const char *name)
{
    size_t count = 0;
    for (size_t c = 0; c < j->curves->count; c++)
        count += strcmp(j->curves->curves[c].dataset, name) == 0;
    return count;
}

/* By content: a head says which photographs it has seen, wherever they lay. */
static pts_status note_source(join *j, const char *name, const pts_embeddings *e, pts_error *err)
{
    char text[512];
    snprintf(text, sizeof text, "%.400s:%s", name, e->contents);
    return pts_tasks_note(&j->tasks->sources, text, err);
}

/* A folder without curves is passed over before its photographs are embedded, the dear part. */
static pts_status add_set(join *j, const pts_dataset *set, pts_error *err)
{
    const char *name = pts_dataset_name(set);
    if (curves_of(j, name) == 0)
        return PTS_OK;
    pts_embeddings embeddings;
    PTS_TRY(pts_embeddings_of(&embeddings, j->encoder, set, j->options, err));
    pts_status status = note_source(j, name, &embeddings, err);
    for (size_t c = 0; status == PTS_OK && c < j->curves->count; c++)
        if (strcmp(j->curves->curves[c].dataset, name) == 0)
            status = add_curve(j, &j->curves->curves[c], set, &embeddings, err);
    pts_embeddings_free(&embeddings);
    return status;
}

/* By the file's bytes: a head says which measurements it learnt from, wherever they lay. */
static pts_status note_curves(join *j, pts_error *err)
{
    char *text, hex[PTS_SHA256_HEX];
    size_t size;
    pts_sha256 hash;
    PTS_TRY(pts_read_file(j->path, (size_t)1 << 30, &text, &size, err));
    pts_sha256_init(&hash);
    pts_sha256_update(&hash, text, size);
    pts_sha256_hex(&hash, hex);
    free(text);
    return pts_tasks_note(&j->tasks->curves, hex, err);
}

/* Names are all that joins curves with folders: two sets of one name would both claim a curve. */
static pts_status check_set(join *j, const pts_dataset *set, pts_error *err)
{
    const char *name = pts_dataset_name(set);
    for (size_t c = 0; c < j->curves->count; c++) {
        int class_id;
        size_t count;
        if (strcmp(j->curves->curves[c].dataset, name) != 0)
            continue;
        if (j->used[c])
            return pts_fail(err, PTS_ERR_ARGUMENT, "%s: a data set of the name '%s' came before",
                            pts_dataset_dir(set), name);
        PTS_TRY(find_shown(set, &j->curves->curves[c], &class_id, &count, err));
        j->used[c] = true;
    }
    return PTS_OK;
}

/* Whatever would refuse the join is found before photographs are embedded, which takes hours. */
static pts_status check_sets(join *j, const char *const *dirs, size_t count, pts_error *err)
{
    for (size_t d = 0; d < count; d++) {
        pts_dataset *set;
        PTS_TRY(pts_dataset_open(&set, dirs[d], err));
        pts_status status = check_set(j, set, err);
        pts_dataset_close(set);
        PTS_TRY(status);
    }
    for (size_t c = 0; c < j->curves->count; c++)
        if (!j->used[c])
            return pts_fail(err, PTS_ERR_ARGUMENT,
                            "%s: data set '%s': expected a folder of that name among the %zu given",
                            j->path, j->curves->curves[c].dataset, count);
    return PTS_OK;
}

/* What cannot be joined is refused before the first slow embedding. */
static pts_status add_sets(join *j, const char *const *dirs, size_t count, pts_error *err)
{
    PTS_TRY(check_sets(j, dirs, count, err));
    for (size_t d = 0; d < count; d++) {
        pts_dataset *set;
        PTS_TRY(pts_dataset_open(&set, dirs[d], err));
        pts_status status = add_set(j, set, err);
        pts_dataset_close(set);
        PTS_TRY(status);
    }
    return PTS_OK;
}

/* What is there after a failure is pts_tasks_collect's to free. */
static pts_status collect(join *j, const char *const *dirs, size_t count, pts_error *err)
{
    const pts_embed_options *o = j->options;
    const char *preset = o && o->preset ? o->preset : pts_encoder_preset(j->encoder);
    const size_t dim = pts_encoder_dim(j->encoder) * (o && o->masks ? 2 : 1);
    PTS_TRY(pts_new(&j->used, j->curves->count, sizeof *j->used, err));
    PTS_TRY(pts_tasks_create(&j->tasks, dim, pts_encoder_id(j->encoder), preset, err));
    PTS_TRY(note_curves(j, err));
    return add_sets(j, dirs, count, err);
}

pts_status pts_tasks_collect(pts_tasks **out, const char *const *dirs, size_t count,
                             const char *curves, pts_encoder *encoder,
                             const pts_embed_options *options, pts_error *err)
{
    *out = NULL;
    pts_curve_set *set;
    PTS_TRY(pts_curves_read(&set, curves, err));
    join j = {.curves = set, .path = curves, .encoder = encoder, .options = options};
    pts_status status = collect(&j, dirs, count, err);
    free(j.used);
    pts_curves_destroy(set);
    if (status != PTS_OK)
        pts_tasks_destroy(j.tasks);
    else
        *out = j.tasks;
    return status;
}
