/* Problem 20 with n = 9: 1.39976e-6. */
enum { N = 9 };

#include "mgh/watson.h"

const mgh_problem mgh_watson_9 = {"watson_9", 31, 9, {0}, {1.39976e-6}, 1, residuals, jacobian, 7};
