/* A folded tensor against what numpy found: a line of tests/data/convert/{inception,real}.txt. */
#ifndef PTS_TESTS_FOLDED_H
#define PTS_TESTS_FOLDED_H

#include "pts/weights.h"

#include <check.h>
#include <math.h>
#include <stdio.h>

/* One line of inception.txt or real.txt: "name shape sum magnitude first last". */
static inline void check_folded(const pts_tensor *t, const char *line)
{
    char name[80], shape[80], got[128];
    double sum, magnitude, first, last, s = 0, a = 0;
    ck_assert_int_eq(
        sscanf(line, "%79s %79s %lf %lf %lf %lf", name, shape, &sum, &magnitude, &first, &last), 6);
    ck_assert_str_eq(t->name, name);
    int used = snprintf(got, sizeof got, "%zu", t->shape[0]);
    for (int i = 1; i < t->rank; i++)
        used += snprintf(got + used, sizeof got - (size_t)used, ",%zu", t->shape[i]);
    ck_assert_str_eq(got, shape);
    const float *x = t->data;
    size_t count = t->bytes / sizeof *x;
    for (size_t i = 0; i < count; i++) {
        s += (double)x[i];
        a += fabs((double)x[i]);
    }
    /* printed to 12 digits; the values themselves must be the same floats */
    ck_assert_double_eq_tol(s, sum, 1e-10 * magnitude);
    ck_assert_double_eq_tol(a, magnitude, 1e-10 * magnitude);
    ck_assert_float_eq(x[0], (float)first);
    ck_assert_float_eq(x[count - 1], (float)last);
}

#endif
