/* Keras models and weights in HDF5: every data set by its path, "conv2d_1/conv2d_1/kernel:0" or
 * "model_weights/conv2d/conv2d/kernel" (keras, src/legacy/saving/legacy_h5_format.py).
 *
 * The HDF5 library has features that reach outside the file: external links, data in other files,
 * virtual data sets, filters loaded as plugins. All are refused; only what lies in this file,
 * plain or deflated, is read. Damage inside the format is libhdf5's to find. */
#include "checkpoint.h"

#include <hdf5.h>
#include <stdlib.h>
#include <string.h>

typedef struct keras_file {
    hid_t file;
} keras_file;

static void close_file(checkpoint *c)
{
    const keras_file *k = c->reader;
    if (k->file >= 0)
        H5Fclose(k->file);
}

static pts_status fetch(checkpoint *c, const checkpoint_tensor *t, float *values, pts_error *err)
{
    const keras_file *k = c->reader;
    hid_t set = H5Dopen2(k->file, t->name, H5P_DEFAULT);
    herr_t failed =
        set < 0 ? -1 : H5Dread(set, H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, values);
    if (set >= 0)
        H5Dclose(set);
    if (failed < 0)
        return pts_fail(err, PTS_ERR_FORMAT, "%s: tensor '%s': HDF5 cannot read it", c->path,
                        t->name);
    return PTS_OK;
}

/* Whole, as hyperslabs of many dimensions are no easier on memory: the largest of InceptionV3 has 8
 * MB. */
static pts_status read_values(checkpoint *c, const checkpoint_tensor *t, size_t first, size_t count,
                              float *out, pts_error *err)
{
    return checkpoint_read_whole(c, t, first, count, out, fetch, err);
}

/* ---- The list ---- */

typedef struct listing {
    checkpoint *c;
    pts_status status;
    pts_error *err;
} listing;

/* NULL, or what leads outside the file. */
static const char *outside(hid_t properties)
{
    H5D_layout_t layout = H5Pget_layout(properties);
    if (layout == H5D_VIRTUAL || layout < 0)
        return "a virtual data set";
    if (H5Pget_external_count(properties) != 0)
        return "data in another file";
    int filters = H5Pget_nfilters(properties);
    for (int i = 0; i < filters; i++) {
        size_t values = 0;
        unsigned flags, config;
        H5Z_filter_t filter =
            H5Pget_filter2(properties, (unsigned)i, &flags, &values, NULL, 0, NULL, &config);
        if (filter != H5Z_FILTER_DEFLATE && filter != H5Z_FILTER_SHUFFLE &&
            filter != H5Z_FILTER_FLETCHER32)
            return "a filter other than deflate, shuffle and fletcher32";
    }
    return NULL;
}

static void set_type(checkpoint_tensor *t, hid_t type)
{
    size_t bytes = H5Tget_size(type);
    bool real = H5Tget_class(type) == H5T_FLOAT;
    t->dtype = real && bytes == 4   ? CHECKPOINT_F32
               : real && bytes == 2 ? CHECKPOINT_F16
                                    : CHECKPOINT_OTHER;
    snprintf(t->dtype_name, sizeof t->dtype_name, "%s%zu",
             real                                ? "float"
             : H5Tget_class(type) == H5T_INTEGER ? "int"
                                                 : "other",
             bytes * 8);
}

/* Adds the data set, whose name is of the library's making. */
static pts_status add_tensor(checkpoint *c, const char *name, hid_t set, pts_error *err)
{
    checkpoint_tensor *t;
    hsize_t sides[H5S_MAX_RANK];
    uint64_t shape[CHECKPOINT_RANK_MAX];
    PTS_TRY(checkpoint_add(c, name, strlen(name), &t, err));
    hid_t properties = H5Dget_create_plist(set), type = H5Dget_type(set), space = H5Dget_space(set);
    const char *reach = properties < 0 ? "no properties" : outside(properties);
    int rank = space < 0 ? -1 : H5Sget_simple_extent_dims(space, sides, NULL);
    if (type >= 0)
        set_type(t, type);
    H5Pclose(properties);
    H5Tclose(type);
    H5Sclose(space);
    if (reach || rank < 0 || type < 0)
        return pts_fail(err, PTS_ERR_UNSUPPORTED,
                        "%s: tensor '%s': expected a plain array in this file, got %s", c->path,
                        name, reach ? reach : "something else");
    for (int i = 0; i < rank && i < CHECKPOINT_RANK_MAX; i++)
        shape[i] = sides[i];
    return checkpoint_shape(c, t, (size_t)rank, shape, err);
}

/* Called once an object, over hard links only: what soft and external links name is not visited. */
static herr_t visit(hid_t file, const char *name, const H5O_info_t *info, void *user)
{
    listing *l = user;
    if (info->type != H5O_TYPE_DATASET)
        return 0;
    hid_t set = H5Dopen2(file, name, H5P_DEFAULT);
    if (set < 0) {
        l->status = pts_fail(l->err, PTS_ERR_FORMAT, "%s: tensor '%.200s': HDF5 cannot open it",
                             l->c->path, name);
        return 1;
    }
    l->status = add_tensor(l->c, name, set, l->err);
    H5Dclose(set);
    return l->status != PTS_OK;
}

static pts_status list_sets(checkpoint *c, pts_error *err)
{
    const keras_file *k = c->reader;
    listing l = {.c = c, .status = PTS_OK, .err = err};
    herr_t result = H5Ovisit2(k->file, H5_INDEX_NAME, H5_ITER_INC, visit, &l, H5O_INFO_BASIC);
    PTS_TRY(l.status);
    if (result < 0)
        return pts_fail(err, PTS_ERR_FORMAT, "%s: HDF5 cannot list its objects (file cut?)",
                        c->path);
    return PTS_OK;
}

pts_status keras_hdf5_open(checkpoint *c, pts_error *err)
{
    PTS_TRY(checkpoint_reader(c, sizeof(keras_file), read_values, close_file, err));
    keras_file *k = c->reader;
    k->file = -1;
    PTS_TRY(input_open(&c->in, c->path, err));
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL); /* it prints otherwise */
    H5PLset_loading_state(0);
    k->file = H5Fopen(c->path, H5F_ACC_RDONLY, H5P_DEFAULT);
    if (k->file < 0)
        return pts_fail(err, PTS_ERR_FORMAT, "%s: HDF5 cannot open it (file cut?)", c->path);
    return list_sets(c, err);
}
