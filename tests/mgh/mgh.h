/* The least-squares test problems of Moré, Garbow & Hillstrom 1981, "Testing unconstrained
 * optimization software", ACM TOMS 7, 17–41; the numbers in the files are those of that paper.
 * A file a problem: residuals, closed-form Jacobian, standard start, known minima. */
#ifndef PTS_TESTS_MGH_H
#define PTS_TESTS_MGH_H

#include <stddef.h>

enum { MGH_MAX_N = 11, MGH_MAX_M = 65, MGH_MINIMA = 6 };

typedef struct mgh_problem {
    const char *name;
    size_t m, n;
    double start[MGH_MAX_N]; /* all 0: ×10 and ×100 start from all 10 and all 100 */
    /* Σr² at the minima, the global one first; those at infinity are limits of Σr². Of the paper
     * (six digits); those it does not list are found by local_minima.py. */
    double minima[MGH_MINIMA];
    size_t minima_count;
    int (*residuals)(void *user, const double *x, double *r);
    int (*jacobian)(void *user, const double *x, double *j);
    /* Which starts reach a minimum, as a sum of 1 (×1), 2 (×10) and 4 (×100); 7 unless a remark
     * in the file says why not. */
    int reached;
} mgh_problem;

#define MGH_LIST(X)                                                                                \
    X(rosenbrock)                                                                                  \
    X(freudenstein_roth)                                                                           \
    X(powell_badly_scaled)                                                                         \
    X(beale)                                                                                       \
    X(jennrich_sampson)                                                                            \
    X(helical_valley)                                                                              \
    X(bard)                                                                                        \
    X(gaussian)                                                                                    \
    X(meyer)                                                                                       \
    X(box_3d)                                                                                      \
    X(powell_singular)                                                                             \
    X(wood) X(kowalik_osborne) X(brown_dennis) X(osborne_1) X(osborne_2) X(watson_6) X(watson_9)

#define MGH_DECLARE(name) extern const mgh_problem mgh_##name;
MGH_LIST(MGH_DECLARE)

#endif
