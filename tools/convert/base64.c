/* Base64 (RFC 4648, section 4), in place: four characters never make more than three bytes. */
#include "convert.h"

static int digit(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

bool base64_decode(char *data, size_t *size)
{
    size_t n = *size, out = 0, pad = 0;
    while (pad < 2 && pad < n && data[n - 1 - pad] == '=')
        pad++;
    if (n % 4 != 0)
        return false;
    uint32_t bits = 0;
    for (size_t i = 0; i < n; i++) {
        int d = i < n - pad ? digit(data[i]) : 0;
        if (d < 0) {
            *size = i;
            return false;
        }
        bits = bits << 6 | (uint32_t)d;
        if (i % 4 == 3) {
            data[out++] = (char)(bits >> 16 & 255);
            data[out++] = (char)(bits >> 8 & 255);
            data[out++] = (char)(bits & 255);
        }
    }
    /* Bits under the padding would be lost without a word: a damaged or made-up end. */
    if (pad && (bits & ((1u << 8 * pad) - 1))) {
        *size = n - pad - 1;
        return false;
    }
    *size = out - pad;
    return true;
}
