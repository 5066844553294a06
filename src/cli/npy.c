#include "cli/npy.h"

#include <string.h>

enum { HEADER = 128 };

/* numpy.lib.format: magic, version, header length, a Python dict padded with spaces so that the
 * data starts at a multiple of 64, and a newline. */
void cli_npy_header(FILE *file, size_t rows, size_t columns)
{
    char header[HEADER];
    memset(header, ' ', sizeof header);
    memcpy(header, "\x93NUMPY\x01\x00", 8);
    header[8] = (char)(sizeof header - 10);
    header[9] = 0;
    int used =
        snprintf(header + 10, sizeof header - 10,
                 "{'descr': '<f4', 'fortran_order': False, 'shape': (%zu, %zu), }", rows, columns);
    header[10 + used] = ' ';
    header[sizeof header - 1] = '\n';
    fwrite(header, 1, sizeof header, file);
}

size_t cli_npy_offset(size_t row, size_t columns)
{
    return HEADER + row * columns * sizeof(float);
}
