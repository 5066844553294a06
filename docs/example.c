/* How many labelled images reach mAP 0.3? Asks the past curves of a trainer and three pilot
 * results. usage: example PRIOR.txt */
#include <pts/curve.h>

#include <math.h>
#include <stdio.h>

int main(int argc, char **argv)
{
    static const double n[] = {4, 16, 64}, map[] = {0.08, 0.17, 0.29};
    static pts_curve_posterior posterior; /* 100 kB: not on the stack */
    pts_prior_file past;
    pts_curve_answer answer;
    pts_error err;
    if (pts_prior_read(argc > 1 ? argv[1] : "prior.txt", &past, &err) != PTS_OK ||
        pts_curve_posterior_find(&past.prior, n, map, 3, &posterior, &err) != PTS_OK ||
        pts_curve_ask(&posterior, 0.3, 0.8, &answer, &err) != PTS_OK) {
        fprintf(stderr, "%s\n", err.message);
        return 1;
    }
    printf("%.0f images; 80 %% interval: %.0f to %.0f\n", ceil(answer.n), ceil(answer.n_low),
           ceil(answer.n_high));
    return 0;
}
