/* pts/hash.h: SHA-256 (FIPS 180-4), to say which bytes something was made from.
 *
 *   pts_sha256 hash;
 *   char hex[PTS_SHA256_HEX];
 *   pts_sha256_init(&hash);
 *   pts_sha256_update(&hash, data, size);      // any number of times
 *   pts_sha256_hex(&hash, hex);                // the same digits as sha256sum prints
 *
 * About 200 MB/s in plain C, more where the processor has SHA instructions (at CPU level c
 * they are left alone): for provenance, not for
 * checking weights at every start (that is the checksum of pts/weights.h). */
#ifndef PTS_HASH_H
#define PTS_HASH_H

#include "pts/base.h"

#ifdef __cplusplus
extern "C" {
#endif

#define PTS_SHA256_BYTES 32
#define PTS_SHA256_HEX 65 /* 64 digits and a NUL */

typedef struct pts_sha256 {
    uint32_t state[8];
    uint64_t length; /* bytes so far */
    unsigned char block[64];
} pts_sha256;

void pts_sha256_init(pts_sha256 *hash);
/* data may be NULL where size is 0. */
void pts_sha256_update(pts_sha256 *hash, const void *data, size_t size);
/* Both end the hash: init it before further use. */
void pts_sha256_final(pts_sha256 *hash, unsigned char out[PTS_SHA256_BYTES]);
void pts_sha256_hex(pts_sha256 *hash, char out[PTS_SHA256_HEX]);

#ifdef __cplusplus
}
#endif

#endif
