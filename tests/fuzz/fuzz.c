/* Fuzz targets, one a reader of files from strangers, chosen when compiled:
 *
 *   -DFUZZ_CHECKPOINT   safetensors, PyTorch of both layouts (by its first bytes), HDF5
 *   -DFUZZ_TFJS         a TensorFlow.js model.json beside an empty shard
 *   -DFUZZ_PTSW         .ptsw
 *
 * With libFuzzer (clang), from the root of the repository:
 *
 *   tests/fuzz/run checkpoint 600
 *
 * Without it this file is not built; tests/test_formats.c mutates the same seeds with the same
 * reading code in every run of the suite. */
#include "../read_checkpoint.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void put(const char *path, const uint8_t *data, size_t size)
{
    FILE *file = fopen(path, "wb");
    if (!file || fwrite(data, 1, size, file) != size || fclose(file) != 0)
        __builtin_trap();
}

static void read_tfjs(const uint8_t *data, size_t size)
{
    char folder[64], path[128];
    snprintf(folder, sizeof folder, "/dev/shm/pts_fuzz_%ld.d", (long)getpid());
    mkdir(folder, 0700);
    snprintf(path, sizeof path, "%s/s", folder);
    put(path, (const uint8_t *)"12345678", 8);
    snprintf(path, sizeof path, "%s/model.json", folder);
    put(path, data, size);
    read_checkpoint(folder, NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
#ifdef FUZZ_TFJS
    read_tfjs(data, size);
#else
    (void)read_tfjs;
    char path[64];
    snprintf(path, sizeof path, "/dev/shm/pts_fuzz_%ld", (long)getpid());
    put(path, data, size);
#ifdef FUZZ_PTSW
    pts_weights *weights;
    if (pts_weights_open(&weights, path, NULL) == PTS_OK)
        pts_weights_widen(weights, NULL);
    pts_weights_close(weights);
#else
    read_checkpoint(path, NULL);
#endif
#endif
    return 0;
}
