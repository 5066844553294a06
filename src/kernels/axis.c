/* The numbers of Winograd's transforms from their points, in double: see transform.h. */
#include "kernels/transform.h"

/* coefficient[0 … count] of Π (X − root[j]²) over j < count, j ≠ except; ascending powers of X.
 * Returns the degree. */
static size_t product_of_roots(const double *point, size_t count, size_t except,
                               double *coefficient)
{
    size_t degree = 0;
    coefficient[0] = 1;
    for (size_t j = 0; j < count; j++) {
        if (j == except)
            continue;
        coefficient[++degree] = 0;
        for (size_t i = degree; i > 0; i--)
            coefficient[i] = coefficient[i - 1] - point[j] * point[j] * coefficient[i];
        coefficient[0] *= -point[j] * point[j];
    }
    return degree;
}

/* The filter at x is Σ g_i x^i, divided by the product of x's distances to the other points. */
static void filter_row(double x, double distances, size_t taps, double *row)
{
    double power = 1;
    for (size_t i = 0; i < taps; i++, power *= x)
        row[i] = power / distances;
}

/* Π (p_k² − p_j²) over j ≠ k. */
static double square_distances(const double *point, size_t count, size_t k)
{
    double product = 1;
    for (size_t j = 0; j < count; j++)
        product *= j == k ? 1 : point[k] * point[k] - point[j] * point[j];
    return product;
}

void pts_axis_init(pts_axis *axis, size_t outputs, size_t taps, size_t pairs, const double *points)
{
    double c[PTS_PAIRS_MAX + 1];
    *axis = (pts_axis){.outputs = outputs, .taps = taps, .pairs = pairs};
    size_t degree = product_of_roots(points, pairs, pairs, c);
    for (size_t j = 0; j <= degree; j++)
        axis->zero[j] = (float)c[j];
    filter_row(0, c[0], taps, axis->filter[0]);
    axis->filter[2 * pairs + 1][taps - 1] = 1;
    for (size_t k = 0; k < pairs; k++) {
        double x = points[k], distances = 2 * x * x * square_distances(points, pairs, k), power = 1;
        degree = product_of_roots(points, pairs, k, c);
        for (size_t j = 0; j <= degree; j++)
            axis->even[k][j] = (float)c[j];
        axis->point[k] = (float)x;
        for (size_t i = 0; i < outputs; i++, power *= x)
            axis->power[i][k] = (float)power;
        filter_row(x, distances, taps, axis->filter[2 * k + 1]);
        filter_row(-x, distances, taps, axis->filter[2 * k + 2]);
    }
}
