/* Problem 20 with n = 6: 2.28767e-3. */
enum { N = 6 };

#include "mgh/watson.h"

const mgh_problem mgh_watson_6 = {"watson_6", 31, 6, {0}, {2.28767e-3}, 1, residuals, jacobian, 7};
