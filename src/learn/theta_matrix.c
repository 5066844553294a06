/* [4][4] matrices of θ: all that asking a head needs of this room's algebra. */
#include "learn/theta.h"

#include <lapacke.h>
#include <string.h>

bool pts_theta_cholesky(const double matrix[16], double lower[16])
{
    memcpy(lower, matrix, 16 * sizeof *lower);
    if (LAPACKE_dpotrf(LAPACK_ROW_MAJOR, 'L', 4, lower, 4) != 0)
        return false;
    for (int i = 0; i < 4; i++)
        for (int j = i + 1; j < 4; j++)
            lower[i * 4 + j] = 0;
    return true;
}
