/* NumPy's .npy, version 1.0: the header of a float32 matrix; its rows follow as raw floats. */
#ifndef PTS_CLI_NPY_H
#define PTS_CLI_NPY_H

#include <stdio.h>

void cli_npy_header(FILE *file, size_t rows, size_t columns);

#endif
