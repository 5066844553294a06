/* Student's t, for the bands of a fit. */
#include "curve/normal.h"

#include <math.h>
#include <stdbool.h>

/* P(|T| < t): the finite sums of Abramowitz & Stegun, 26.7.3 and 26.7.4. */
static double student_middle(size_t freedom, double t)
{
    double angle = atan(t / sqrt((double)freedom)), c = cos(angle), term = 1, sum = 0;
    bool odd = freedom % 2;
    if (odd)
        term = c;
    for (size_t k = odd; k + 2 <= freedom; k += 2) {
        sum += term;
        term *= c * c * (double)(k + 1) / (double)(k + 2);
    }
    sum *= sin(angle);
    return odd ? 2 / 3.14159265358979324 * (angle + sum) : sum;
}

/* Fisher's expansion in 1/freedom (A&S 26.7.5), good for six digits from thirty on. */
static double student_far(double v, double z)
{
    double z2 = z * z;
    return z + z * (z2 + 1) / (4 * v) + z * ((5 * z2 + 16) * z2 + 3) / (96 * v * v) +
           z * (((3 * z2 + 19) * z2 + 17) * z2 - 15) / (384 * v * v * v);
}

double pts_student_quantile(size_t freedom, double p)
{
    double low = 0, high = 1;
    if (freedom > 30)
        return student_far((double)freedom, pts_normal_quantile(p));
    while (student_middle(freedom, high) < 2 * p - 1 && high < 1e12)
        high *= 2;
    for (int i = 0; i < 60; i++) {
        double middle = (low + high) / 2;
        if (student_middle(freedom, middle) < 2 * p - 1)
            low = middle;
        else
            high = middle;
    }
    return (low + high) / 2;
}
