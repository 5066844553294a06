/* SHA-256 of one block of 64 bytes, as the CPU level in force does it. */
#ifndef PTS_SRC_WEIGHTS_SHA256_H
#define PTS_SRC_WEIGHTS_SHA256_H

#include <stdint.h>

typedef void pts_sha256_block(uint32_t state[8], const unsigned char *block);

/* Level c's, and every level's where the processor has no instructions for it. */
pts_sha256_block pts_sha256_plain;
pts_sha256_block *pts_sha256_current(void);

#endif
