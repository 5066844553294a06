#include "kernels/linear.h"

/* Without panels the product is OpenBLAS's, whose order of summation follows the sizes it is
 * given: then the parts must not follow the number of threads. */
enum { PLAIN_COLUMNS = 256 };

typedef struct linear_job {
    const pts_level *level;
    const pts_product *whole;
    pts_activation_fn activation;
    size_t rows, columns, row_parts; /* of a part; parts below each other */
} linear_job;

static void run_part(void *user, size_t task, int thread)
{
    const linear_job *job = user;
    pts_product p = *job->whole;
    size_t row = task % job->row_parts * job->rows;
    (void)thread;
    p.rows = p.rows - row < job->rows ? p.rows - row : job->rows;
    p.a += row * p.a_stride;
    p.c += row * p.c_stride;
    p.first += task / job->row_parts * job->columns;
    if (p.end - p.first > job->columns)
        p.end = p.first + job->columns;
    job->level->product(&p);
    for (size_t r = 0; job->activation && r < p.rows; r++)
        job->activation(p.c + r * p.c_stride + p.first, p.end - p.first);
}

/* Two parts a thread even out a core that is disturbed. */
void pts_linear_run(const pts_level *level, pts_team *team, const pts_product *p,
                    pts_activation_fn activation)
{
    const size_t width = p->end - p->first, parts = 2 * (size_t)pts_team_threads(team);
    linear_job job = {.level = level, .whole = p, .activation = activation};
    if (!p->rows || !width)
        return;
    job.row_parts = (p->rows + PTS_LINEAR_ROWS - 1) / PTS_LINEAR_ROWS;
    job.rows = (p->rows + job.row_parts - 1) / job.row_parts;
    job.columns = PLAIN_COLUMNS;
    if (level->panel) {
        size_t panels = (width + level->panel - 1) / level->panel;
        job.columns = (panels + parts - 1) / parts * level->panel;
    }
    size_t column_parts = (width + job.columns - 1) / job.columns;
    pts_team_run(team, job.row_parts * column_parts, run_part, &job);
}
