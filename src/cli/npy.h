/* NumPy's .npy, version 1.0: the header of a float32 matrix; its rows follow as raw floats. */
#ifndef PTS_CLI_NPY_H
#define PTS_CLI_NPY_H

#include <stdio.h>

void cli_npy_header(FILE *file, size_t rows, size_t columns);
/* Where a row begins in the file. */
size_t cli_npy_offset(size_t row, size_t columns);

#endif
