/* A product whose B is larger than the caches (a linear layer of a transformer), on the team. */
#ifndef PTS_SRC_KERNELS_LINEAR_H
#define PTS_SRC_KERNELS_LINEAR_H

#include "kernels/level.h"

/* Rows that a part takes at most: 256 of them, a block deep, fit the second-level cache. */
enum { PTS_LINEAR_ROWS = 256 };

/* C = A·B, then `activation` (or NULL) on each part of it that is finished, while it is in the
 * cache. Columns are shared out, so that B passes through the team once every PTS_LINEAR_ROWS rows.
 * No bit depends on the number of threads. */
void pts_linear_run(const pts_level *level, pts_team *team, const pts_product *p,
                    pts_activation_fn activation);

#endif
