/* Decoding: every variant of PNG and BMP against Pillow, JPEG near it, what is refused and in which
 * words, and mutated files. */
#include "check_main.h"

#include "pts/image.h"

#include <inttypes.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

typedef struct file_data {
    uint8_t *bytes;
    size_t size;
} file_data;

static const char *image_path(const char *name)
{
    char path[256];
    snprintf(path, sizeof path, "image/%s", name);
    return test_data(path);
}

static file_data load(const char *path)
{
    FILE *file = fopen(path, "rb");
    ck_assert_msg(file != NULL, "%s is missing", path);
    fseek(file, 0, SEEK_END);
    file_data f = {NULL, (size_t)ftell(file)};
    rewind(file);
    f.bytes = malloc(f.size + 1);
    ck_assert_uint_eq(fread(f.bytes, 1, f.size, file), f.size);
    fclose(file);
    return f;
}

static uint64_t fnv1a(const uint8_t *data, size_t size)
{
    uint64_t hash = 0xcbf29ce484222325u;
    for (size_t i = 0; i < size; i++)
        hash = (hash ^ data[i]) * 0x100000001b3u;
    return hash;
}

static pts_image read_image(const char *path)
{
    pts_image image;
    pts_error err = {""};
    ck_assert_msg(pts_image_read(path, NULL, &image, &err) == PTS_OK, "%s", err.message);
    return image;
}

START_TEST(png_and_bmp_equal_pillow)
{
    char name[64];
    size_t width, height, count = 0;
    uint64_t hash;
    FILE *list = fopen(image_path("images.txt"), "r");
    ck_assert_ptr_nonnull(list);
    while (fscanf(list, "%63s %zu %zu %" SCNx64, name, &width, &height, &hash) == 4) {
        pts_image image = read_image(image_path(name));
        ck_assert_uint_eq(image.width, width);
        ck_assert_uint_eq(image.height, height);
        ck_assert_msg(fnv1a(image.rgb, width * height * 3) == hash, "%s differs", name);
        ck_assert_int_eq(pts_image_probe(image_path(name), NULL, &image.width, &image.height, NULL),
                         PTS_OK);
        ck_assert(image.width == width && image.height == height);
        pts_image_free(&image);
        count++;
    }
    fclose(list);
    ck_assert_uint_eq(count, 51);
}
END_TEST

START_TEST(probing_refuses_as_reading_does)
{
    static const struct {
        const char *name;
        pts_status status;
    } files[] = {{"refused-cmyk.jpg", PTS_ERR_UNSUPPORTED},
                 {"refused-core.bmp", PTS_ERR_UNSUPPORTED},
                 {"README.md", PTS_ERR_FORMAT},
                 {"none.jpg", PTS_ERR_IO}};
    const pts_image_limits small = {1000, 1 << 20};
    size_t width, height;
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        pts_image image;
        pts_error probed = {""}, read = {""};
        const char *path = image_path(files[i].name);
        ck_assert_int_eq(pts_image_probe(path, NULL, &width, &height, &probed), files[i].status);
        ck_assert(width == 0 && height == 0);
        ck_assert_int_eq(pts_image_read(path, NULL, &image, &read), files[i].status);
        ck_assert_str_eq(probed.message, read.message);
    }
    ck_assert_int_eq(pts_image_probe(image_path("420.jpg"), &small, &width, &height, NULL),
                     PTS_ERR_LIMIT);
}
END_TEST

/* Pillow decodes with libjpeg-turbo; the standard leaves the inverse transform's rounding and the
 * enlargement of the colour planes to the decoder. */
static void assert_near(const char *name, const pts_image *a, const pts_image *b, int most)
{
    size_t count = a->width * a->height * 3;
    int worst = 0;
    double sum = 0;
    ck_assert_uint_eq(a->width, b->width);
    ck_assert_uint_eq(a->height, b->height);
    for (size_t i = 0; i < count; i++) {
        int difference = abs((int)a->rgb[i] - b->rgb[i]);
        worst = difference > worst ? difference : worst;
        sum += difference;
    }
    ck_assert_msg(worst <= most && sum < (double)count, "%s: largest %d, mean %g", name, worst,
                  sum / (double)count);
}

START_TEST(jpeg_is_near_libjpeg)
{
    static const char *const names[] = {"444.jpg",         "422.jpg",     "420.jpg",
                                        "progressive.jpg", "restart.jpg", "gray.jpg"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char reference[64];
        snprintf(reference, sizeof reference, "%s.png", names[i]);
        pts_image ours = read_image(image_path(names[i]));
        pts_image pillow = read_image(image_path(reference));
        assert_near(names[i], &ours, &pillow, 5);
        pts_image_free(&ours);
        pts_image_free(&pillow);
    }
}
END_TEST

/* The same coefficients in another order of scans, and with restart markers. */
START_TEST(jpeg_scan_order_does_not_show)
{
    pts_image baseline = read_image(image_path("420.jpg"));
    pts_image progressive = read_image(image_path("progressive.jpg"));
    pts_image restart = read_image(image_path("restart.jpg"));
    size_t bytes = baseline.width * baseline.height * 3;
    ck_assert_mem_eq(baseline.rgb, progressive.rgb, bytes);
    ck_assert_mem_eq(baseline.rgb, restart.rgb, bytes);
    pts_image_free(&baseline);
    pts_image_free(&progressive);
    pts_image_free(&restart);
}
END_TEST

static void assert_refused(const uint8_t *data, size_t size, const pts_image_limits *limits,
                           pts_status status, const char *message)
{
    pts_error err = {""};
    pts_image image = {1, 1, (uint8_t *)&err};
    pts_status got = pts_image_decode("photo", data, size, limits, &image, &err);
    ck_assert_str_eq(err.message, message);
    ck_assert_int_eq(got, status);
    ck_assert_ptr_null(image.rgb);
    ck_assert_uint_eq(image.width + image.height, 0);
}

static void assert_file_refused(const char *name, size_t cut, pts_status status,
                                const char *message)
{
    file_data f = load(image_path(name));
    assert_refused(f.bytes, cut ? cut : f.size, NULL, status, message);
    free(f.bytes);
}

START_TEST(files_that_are_no_image)
{
    pts_error err;
    pts_image image;
    char expected[4200];
    assert_refused((const uint8_t *)"a line of text\n", 15, NULL, PTS_ERR_FORMAT,
                   "photo: expected a JPEG, PNG or BMP image, got other bytes");
    assert_refused((const uint8_t *)"", 0, NULL, PTS_ERR_FORMAT,
                   "photo: expected a JPEG, PNG or BMP image, got an empty file");
    ck_assert_int_eq(pts_image_read(test_data("image"), NULL, &image, &err), PTS_ERR_IO);
    snprintf(expected, sizeof expected, "%s: expected a regular file", test_data("image"));
    ck_assert_str_eq(err.message, expected);
    ck_assert_int_eq(pts_image_read("/nowhere/photo.jpg", NULL, &image, &err), PTS_ERR_IO);
    ck_assert_str_eq(err.message, "/nowhere/photo.jpg: No such file or directory");
    ck_assert_ptr_null(image.rgb);
}
END_TEST

START_TEST(cut_files)
{
    static const char *const names[] = {"420.jpg",      "progressive.jpg",       "rgb8.png",
                                        "indexed4.png", "gray16-interlaced.png", "rgb24.bmp",
                                        "indexed8.bmp", "rgb32-v5.bmp",          "rgb32-masks.bmp"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        file_data f = load(image_path(names[i]));
        for (size_t size = 0; size < f.size; size++) {
            uint8_t *part = malloc(size + !size); /* of this size, for the address sanitizer */
            memcpy(part, f.bytes, size);
            pts_image image;
            ck_assert_msg(pts_image_decode("cut", part, size, NULL, &image, NULL) == PTS_ERR_FORMAT,
                          "%s cut to %zu bytes", names[i], size);
            ck_assert_ptr_null(image.rgb);
            free(part);
        }
        free(f.bytes);
    }
    assert_file_refused(
        "420.jpg", 900, PTS_ERR_FORMAT,
        "photo: truncated JPEG: expected an end-of-image marker, got the end of the "
        "file after 900 bytes");
    assert_file_refused(
        "rgb8.png", 300, PTS_ERR_FORMAT,
        "photo: truncated PNG: expected an IEND chunk, got the end of the file after "
        "300 bytes");
    assert_file_refused("rgb24.bmp", 300, PTS_ERR_FORMAT,
                        "photo: truncated BMP: expected 13×9 pixels of 24 bits, got the end of the "
                        "file after 300 bytes");
}
END_TEST

START_TEST(variants_that_are_not_read)
{
    assert_file_refused("refused-cmyk.jpg", 0, PTS_ERR_UNSUPPORTED,
                        "photo: expected a gray or RGB JPEG, got CMYK");
    assert_file_refused("refused-rgb16.bmp", 0, PTS_ERR_UNSUPPORTED,
                        "photo: expected a BMP of 1, 4, 8, 24 or 32 bits a pixel, got 16");
    assert_file_refused("refused-core.bmp", 0, PTS_ERR_UNSUPPORTED,
                        "photo: expected a BMP header of 40, 56, 108 or 124 bytes, got 12");
    assert_file_refused("refused-masks.bmp", 0, PTS_ERR_UNSUPPORTED,
                        "photo: expected a BMP with the masks of 8-bit RGB, got others");
    assert_file_refused("refused-rle.bmp", 0, PTS_ERR_UNSUPPORTED,
                        "photo: expected a BMP without compression (0 or 3), got 1");
    assert_file_refused("refused-index.bmp", 0, PTS_ERR_FORMAT,
                        "photo: damaged BMP: expected an index below 100 at row 0, column 1 of the "
                        "file, got 182");
}
END_TEST

/* Where a PNG inflates to much more than its pixels, nothing of that size is allocated. */
START_TEST(zlib_bomb)
{
    assert_file_refused(
        "refused-bomb.png", 0, PTS_ERR_MEMORY,
        "photo: out of memory, or damaged: 1×1 pixels ask for more than 100346 bytes at once");
}
END_TEST

static void put32(uint8_t *p, uint32_t value)
{
    for (int i = 0; i < 4; i++)
        p[i] = (uint8_t)(value >> (24 - 8 * i));
}

static uint32_t get32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static uint32_t crc32_bitwise(const uint8_t *p, size_t size)
{
    uint32_t crc = 0xffffffff;
    for (size_t i = 0; i < size; i++) {
        crc ^= p[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc & 1 ? crc >> 1 ^ 0xedb88320 : crc >> 1;
    }
    return ~crc;
}

/* So that a changed PNG gets past its checksums. */
static void mend_checksums(uint8_t *data, size_t size)
{
    for (size_t at = 8; size - at >= 12;) {
        size_t length = get32(data + at);
        if (length > size - at - 12)
            return;
        put32(data + at + 8 + length, crc32_bitwise(data + at + 4, length + 4));
        at += 12 + length;
    }
}

/* `name` with `count` bytes at `at` replaced (a PNG's checksums mended) is refused. */
static void assert_patch_refused(const char *name, size_t at, const void *bytes, size_t count,
                                 pts_status status, const char *message)
{
    file_data f = load(image_path(name));
    memcpy(f.bytes + at, bytes, count);
    if (f.bytes[0] == 0x89)
        mend_checksums(f.bytes, f.size);
    assert_refused(f.bytes, f.size, NULL, status, message);
    free(f.bytes);
}

START_TEST(dimensions)
{
    assert_patch_refused("rgb8.png", 16, "\0\0\x4e\x20\0\0\x4e\x20", 8, PTS_ERR_LIMIT,
                         "photo: expected at most 100000000 pixels, got 20000×20000");
    assert_patch_refused("rgb8.png", 16, "\xff\xff\xff\xff\xff\xff\xff\xff", 8, PTS_ERR_LIMIT,
                         "photo: expected at most 100000000 pixels, got 4294967295×4294967295");
    assert_patch_refused("rgb8.png", 16, "\0\0\0\0", 4, PTS_ERR_FORMAT,
                         "photo: expected at least 1×1 pixels, got 0×9");
    assert_patch_refused("rgb24.bmp", 22, "\0\0\0\0", 4, PTS_ERR_FORMAT,
                         "photo: expected at least 1×1 pixels, got 13×0");
    assert_patch_refused("rgb24.bmp", 22, "\0\0\0\x80", 4, PTS_ERR_FORMAT,
                         "photo: damaged BMP: impossible header");
    file_data f = load(image_path("rgb8.png"));
    assert_refused(f.bytes, f.size, &(pts_image_limits){116, 4096}, PTS_ERR_LIMIT,
                   "photo: expected at most 116 pixels, got 13×9");
    char message[128];
    snprintf(message, sizeof message, "photo: expected at most %zu bytes, got %zu", f.size - 1,
             f.size);
    assert_refused(f.bytes, f.size, &(pts_image_limits){117, f.size - 1}, PTS_ERR_LIMIT, message);
    pts_image image;
    pts_image_limits exact = {117, f.size};
    ck_assert_int_eq(pts_image_decode("photo", f.bytes, f.size, &exact, &image, NULL), PTS_OK);
    pts_image_free(&image);
    free(f.bytes);
}
END_TEST

START_TEST(damaged_png)
{
    file_data f = load(image_path("rgb8.png"));
    f.bytes[60] ^= 1; /* in the first IDAT chunk */
    assert_refused(f.bytes, f.size, NULL, PTS_ERR_FORMAT,
                   "photo: damaged PNG: wrong check sum in the chunk at byte 33");
    free(f.bytes);
    assert_patch_refused("rgb8.png", 12, "CgBI", 4, PTS_ERR_FORMAT,
                         "photo: damaged PNG: expected one IHDR, before all else; got another "
                         "order in the chunk at byte 8");
    assert_patch_refused(
        "rgb8.png", 24, "\x09", 1, PTS_ERR_FORMAT,
        "photo: damaged PNG: impossible colour type, depth or method in the chunk at byte 8");
    assert_patch_refused("indexed8.png", 37, "pLTE", 4, PTS_ERR_FORMAT,
                         "photo: damaged PNG: no palette in it");
    assert_patch_refused(
        "rgb8.png", 37, "QDAT", 4, PTS_ERR_UNSUPPORTED,
        "photo: expected a standard PNG, got an unknown critical chunk at byte 33");
    assert_patch_refused("rgb8.png", 41, "\xff", 1, PTS_ERR_FORMAT,
                         "photo: damaged image data: bad zlib header");
}
END_TEST

/* The first segment with this marker: the offset of its 0xff. */
static size_t find_segment(const file_data *f, uint8_t marker)
{
    size_t at = 2;
    while (f->bytes[at + 1] != marker)
        at += 2 + (size_t)(f->bytes[at + 2] << 8 | f->bytes[at + 3]);
    return at;
}

/* `offset` counts from the segment's 0xff. */
static void assert_segment_refused(uint8_t marker, size_t offset, uint8_t value, pts_status status,
                                   const char *message)
{
    file_data f = load(image_path("420.jpg"));
    f.bytes[find_segment(&f, marker) + offset] = value;
    assert_refused(f.bytes, f.size, NULL, status, message);
    free(f.bytes);
}

START_TEST(damaged_jpeg)
{
    enum { FRAME = 0xc0, HUFFMAN = 0xc4, SCAN = 0xda, QUANTISATION = 0xdb };
    assert_segment_refused(FRAME, 1, 0xc3, PTS_ERR_UNSUPPORTED,
                           "photo: expected a baseline or progressive JPEG, got a lossless or "
                           "arithmetic one (frame c3)");
    assert_segment_refused(FRAME, 4, 12, PTS_ERR_UNSUPPORTED,
                           "photo: expected a JPEG of 8 bits, got 12 bits");
    assert_segment_refused(FRAME, 6, 0, PTS_ERR_FORMAT,
                           "photo: expected at least 1×1 pixels, got 61×0");
    assert_segment_refused(FRAME, 12, 3, PTS_ERR_FORMAT,
                           "photo: damaged JPEG: a component or table that is not defined in the "
                           "segment da at byte 609");
    assert_segment_refused(
        HUFFMAN, 5, 255, PTS_ERR_FORMAT,
        "photo: damaged JPEG: impossible Huffman table in the segment c4 at byte 177");
    assert_segment_refused(HUFFMAN, 4, 3, PTS_ERR_FORMAT,
                           "photo: damaged JPEG: a component or table that is not defined in the "
                           "segment da at byte 609");
    assert_segment_refused(
        QUANTISATION, 4, 5, PTS_ERR_FORMAT,
        "photo: damaged JPEG: impossible quantisation table in the segment db at byte 20");
    assert_segment_refused(SCAN, 5, 9, PTS_ERR_FORMAT,
                           "photo: damaged JPEG: a component or table that is not defined in the "
                           "segment da at byte 609");
    assert_segment_refused(SCAN, 6, 0x33, PTS_ERR_FORMAT,
                           "photo: damaged JPEG: a component or table that is not defined in the "
                           "segment da at byte 609");
}
END_TEST

/* stb_image 2.27 writes past its tables of 256 codes. */
START_TEST(jpeg_of_too_many_codes)
{
    enum { CODES = 16 * 17, LENGTH = 2 + 17 + CODES };
    file_data f = load(image_path("420.jpg"));
    uint8_t *data = calloc(1, f.size + 2 + LENGTH);
    memcpy(data, "\xff\xd8\xff\xc4", 4);
    data[4] = LENGTH >> 8;
    data[5] = LENGTH & 255;
    memset(data + 7, 17, 16);
    memcpy(data + 4 + LENGTH, f.bytes + 2, f.size - 2);
    assert_refused(data, f.size + 2 + LENGTH, NULL, PTS_ERR_FORMAT,
                   "photo: damaged JPEG: impossible Huffman table in the segment c4 at byte 2");
    free(data);
    free(f.bytes);
}
END_TEST

/* A file of 10 kB that would take as long as 1000 photographs. */
START_TEST(jpeg_of_many_scans)
{
    enum { SCANS = 501, BYTES = 14 };
    file_data f = load(image_path("420.jpg"));
    size_t at = find_segment(&f, 0xda);
    uint8_t *many = malloc(f.size + SCANS * BYTES);
    memcpy(many, f.bytes, at);
    for (size_t i = 0; i < SCANS; i++)
        memcpy(many + at + i * BYTES, f.bytes + at, BYTES);
    memcpy(many + at + SCANS * BYTES, f.bytes + at, f.size - at);
    assert_refused(many, f.size + SCANS * BYTES, NULL, PTS_ERR_LIMIT,
                   "photo: expected at most 500 scans, got more");
    free(many);
    free(f.bytes);
}
END_TEST

static uint64_t next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    return *state ^= *state << 17;
}

static void mutate(uint8_t *data, size_t size, uint64_t *state)
{
    static const uint8_t extremes[] = {0, 1, 127, 128, 254, 255};
    size_t changes = 1 + next_random(state) % 6;
    for (size_t i = 0; i < changes; i++) {
        size_t at = next_random(state) % (i % 2 ? size : size < 256 ? size : 256);
        uint64_t r = next_random(state);
        data[at] = r & 1 ? (uint8_t)(r >> 8) : extremes[(r >> 8) % sizeof extremes];
    }
    if (data[0] == 0x89)
        mend_checksums(data, size);
}

/* Decoded twice: pixels that depend on memory never written would differ. 1: it was an image. */
static int decode_mutation(const uint8_t *data, size_t size)
{
    static const pts_image_limits limits = {1 << 16, 1 << 20};
    pts_image first, second;
    pts_error err = {""};
    if (pts_image_decode("mutation", data, size, &limits, &first, &err) != PTS_OK) {
        ck_assert_ptr_null(first.rgb);
        ck_assert_int_eq(strncmp(err.message, "mutation: ", 10), 0);
        return 0;
    }
    ck_assert_uint_le(first.width * first.height, limits.pixels);
    ck_assert_int_eq(pts_image_decode("mutation", data, size, &limits, &second, NULL), PTS_OK);
    ck_assert_mem_eq(first.rgb, second.rgb, first.width * first.height * 3);
    pts_image_free(&first);
    pts_image_free(&second);
    return 1;
}

START_TEST(mutations)
{
    enum { EACH = 4000 };
    static const char *const names[] = {
        "420.jpg",   "progressive.jpg",    "restart.jpg",           "gray.jpg",
        "rgb8.png",  "indexed4.png",       "gray16-interlaced.png", "indexed8-short-alpha.png",
        "rgb24.bmp", "indexed8-short.bmp", "indexed1.bmp",          "rgb32-v5.bmp"};
    uint64_t state = 20261123;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        file_data f = load(image_path(names[i]));
        uint8_t *copy = malloc(f.size);
        int images = 0;
        for (int k = 0; k < EACH; k++) {
            memcpy(copy, f.bytes, f.size);
            mutate(copy, f.size, &state);
            images += decode_mutation(copy, f.size);
        }
        ck_assert_msg(images > 0 && images < EACH, "%s: %d of %d were read", names[i], images,
                      EACH);
        free(copy);
        free(f.bytes);
    }
}
END_TEST

/* ---- several threads at once ---- */

typedef struct threaded {
    file_data files[4];
    struct {
        pts_status status;
        uint64_t pixels;
        char message[128];
    } results[256];
} threaded;

/* Every third file as it is, the others damaged: reasons of failure must not mix either. */
static void decode_task(void *user, size_t task, int thread)
{
    enum { SIDE = 64 };
    threaded *t = user;
    const file_data *file = &t->files[task % 4];
    uint64_t state = 7 * task + 1;
    uint8_t *copy = malloc(file->size);
    float *input = malloc(SIDE * SIDE * 3 * sizeof *input);
    pts_image image;
    pts_error err = {""};
    (void)thread;
    memcpy(copy, file->bytes, file->size);
    if (task % 3)
        mutate(copy, file->size, &state);
    pts_status status = pts_image_decode("task", copy, file->size, NULL, &image, &err);
    t->results[task].pixels = fnv1a(image.rgb, image.width * image.height * 3);
    if (status == PTS_OK && image.width * image.height < 1 << 16) {
        status = pts_preset_apply("ptssp", &image, SIDE, input, &err);
        t->results[task].pixels ^= fnv1a((uint8_t *)input, SIDE * SIDE * 3 * sizeof *input);
    }
    t->results[task].status = status;
    snprintf(t->results[task].message, sizeof t->results->message, "%.127s", err.message);
    pts_image_free(&image);
    free(input);
    free(copy);
}

START_TEST(threads_change_nothing)
{
    static const char *const names[] = {"420.jpg", "progressive.jpg", "indexed4.png", "rgb24.bmp"};
    static threaded one, many;
    pts_team *team;
    for (size_t i = 0; i < 4; i++)
        one.files[i] = many.files[i] = load(image_path(names[i]));
    ck_assert_int_eq(pts_team_create(&team, 4, NULL), PTS_OK);
    pts_team_run(NULL, 256, decode_task, &one);
    pts_team_run(team, 256, decode_task, &many);
    size_t failures = 0;
    for (size_t i = 0; i < 256; i++) {
        ck_assert_int_eq(one.results[i].status, many.results[i].status);
        ck_assert_str_eq(one.results[i].message, many.results[i].message);
        ck_assert_uint_eq(one.results[i].pixels, many.results[i].pixels);
        failures += one.results[i].status != PTS_OK;
    }
    ck_assert(failures > 20 && failures < 200);
    pts_team_destroy(team);
    for (size_t i = 0; i < 4; i++)
        free(one.files[i].bytes);
}
END_TEST

CHECK_SUITE("image", png_and_bmp_equal_pillow, probing_refuses_as_reading_does,
            jpeg_is_near_libjpeg, jpeg_scan_order_does_not_show, files_that_are_no_image, cut_files,
            variants_that_are_not_read, zlib_bomb, dimensions, damaged_png, damaged_jpeg,
            jpeg_of_too_many_codes, jpeg_of_many_scans, threads_change_nothing, SLOW, mutations)
