#include "pts/base.h"

#include <cblas.h>

pts_build pts_build_info(void)
{
    /* zip and hdf5 are ptsconvert's alone: no other program loads their libraries. */
    static const char features[] = ""
#ifdef PTS_HAVE_HDF5
                                   " hdf5"
#endif
#ifdef PTS_HAVE_JSON
                                   " json"
#endif
#ifdef PTS_HAVE_MPI
                                   " mpi"
#endif
#ifdef PTS_HAVE_PLOT
                                   " plot"
#endif
#ifdef PTS_HAVE_STORE
                                   " store"
#endif
#ifdef PTS_HAVE_WEB
                                   " web"
#endif
#ifdef PTS_HAVE_YAML
                                   " yaml"
#endif
#ifdef PTS_HAVE_ZIP
                                   " zip"
#endif
        ;
    return (pts_build){.version = PTS_VERSION_STRING,
                       .features = features + (features[0] == ' '),
                       .blas = openblas_get_config(),
                       .kernels = openblas_get_corename()};
}
