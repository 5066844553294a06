/* The four-parameter logistic in closed form: pts/curve.h. */
#include "pts/curve.h"
#include "base/error.h"

#include <math.h>

pts_status pts_curve_canonical(pts_curve *curve, pts_error *err)
{
    pts_curve c = *curve;
    if (!isfinite(c.A) || !isfinite(c.D) || !isfinite(c.B) || c.B == 0 || !isfinite(c.C) ||
        c.C <= 0)
        return pts_fail(err, PTS_ERR_ARGUMENT,
                        "curve: expected finite A, B, C, D with B not 0 and C above 0, got %g, %g, "
                        "%g, %g",
                        c.A, c.B, c.C, c.D);
    if (c.B < 0)
        *curve = (pts_curve){c.D, -c.B, c.C, c.A};
    return PTS_OK;
}

/* (n/C)^B as exp(z): the power itself overflows at B = 42 already for n/C = 10⁸. */
static double exponent(const pts_curve *curve, double n)
{
    return curve->B * (log(n) - log(curve->C));
}

double pts_curve_at(const pts_curve *curve, double n)
{
    double z = exponent(curve, n), rise = curve->D - curve->A;
    if (z < 0) /* from the nearer end, so that both ends are exact */
        return curve->A + rise * (exp(z) / (1 + exp(z)));
    return curve->D - rise * (exp(-z) / (1 + exp(-z)));
}

double pts_curve_gradient(const pts_curve *curve, double n, double gradient[4])
{
    double z = exponent(curve, n), e = exp(-fabs(z));
    double near = e / (1 + e), far = 1 / (1 + e);
    double bend = (curve->D - curve->A) * near * far; /* ∂f/∂z */
    gradient[0] = z < 0 ? far : near;
    gradient[3] = z < 0 ? near : far;
    gradient[1] = bend == 0 ? 0 : bend * z; /* at n = 0 and ∞: 0 · ∞ */
    gradient[2] = -curve->B * bend;
    return pts_curve_at(curve, n);
}

const char *pts_size_status_text(pts_size_status status)
{
    static const char *const text[] = {"ok", "already_met", "unreachable"};
    return (size_t)status < sizeof text / sizeof *text ? text[status] : "unknown";
}

pts_size_status pts_curve_size(const pts_curve *curve, double target, double *n)
{
    *n = INFINITY;
    bool falls = curve->A >= curve->D;
    if (target <= curve->A && (!falls || pts_curve_at(curve, 1) >= target)) {
        *n = 0;
        return PTS_SIZE_ALREADY_MET;
    }
    if (falls || !(target < curve->D))
        return PTS_SIZE_UNREACHABLE;
    double odds = log(target - curve->A) - log(curve->D - target);
    *n = curve->C * exp(odds / curve->B);
    if (!isfinite(*n)) {
        *n = INFINITY;
        return PTS_SIZE_UNREACHABLE;
    }
    return *n <= 1 ? PTS_SIZE_ALREADY_MET : PTS_SIZE_OK;
}
