/* A family's fit together with the solver's own coordinates. */
#ifndef PTS_SRC_CURVE_FAMILY_H
#define PTS_SRC_CURVE_FAMILY_H

#include "pts/curve.h"
#include "curve/separable.h"

/* solution: u, v, p, q and their covariance, scaled by the estimated noise; rows of what the data
 * do not determine are INFINITY on the diagonal. */
pts_status pts_family_solve(pts_family family, const separable_data *data, pts_family_fit *out,
                            separable_fit *solution, pts_error *err);

/* pts_smape of the fit's own values. */
double pts_family_smape(const pts_family_fit *fit, const double *n, const double *map,
                        size_t count);

#endif
