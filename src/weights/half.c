/* binary16 ↔ binary32 by integer arithmetic: the same bits on every machine. */
#include "pts/weights.h"

#include <string.h>

/* x / 2^shift, rounded to nearest, ties to even. */
static uint32_t shift_round(uint32_t x, int shift)
{
    uint32_t kept = x >> shift, rest = x & ((1u << shift) - 1), half = 1u << (shift - 1);
    return kept + (rest > half || (rest == half && (kept & 1)));
}

uint16_t pts_f16_from_f32(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    uint32_t sign = bits >> 16 & 0x8000, magnitude = bits & 0x7fffffff;
    if (magnitude > 0x7f800000) /* not a number: quiet, the payload's top bits kept */
        return (uint16_t)(sign | 0x7e00 | (magnitude >> 13 & 0x3ff));
    if (magnitude >= 0x47800000) /* 65536 and above */
        return (uint16_t)(sign | 0x7c00);
    if (magnitude < 0x33000000) /* below 2^-25, half of the smallest subnormal */
        return (uint16_t)sign;
    if (magnitude < 0x38800000) { /* below 2^-14: subnormal, in units of 2^-24 */
        int exponent = (int)(magnitude >> 23);
        uint32_t mantissa = (magnitude & 0x7fffff) | 0x800000;
        return (uint16_t)(sign | shift_round(mantissa, 126 - exponent));
    }
    /* A carry out of the mantissa rightly raises the exponent, from 65504 to infinity too. */
    return (uint16_t)(sign | shift_round(magnitude - 0x38000000, 13));
}

float pts_f32_from_f16(uint16_t half)
{
    uint32_t sign = (uint32_t)(half & 0x8000) << 16, exponent = half >> 10 & 31,
             mantissa = half & 0x3ff, bits;
    if (exponent == 0) { /* zero or subnormal: mantissa · 2^-24 is exact in binary32 */
        float value = (float)mantissa * 0x1p-24f;
        return sign ? -value : value;
    }
    bits = sign | (exponent == 31 ? 0x7f800000 : (exponent + 112) << 23) | mantissa << 13;
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}
