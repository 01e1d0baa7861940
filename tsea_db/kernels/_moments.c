/* Moments of rows of logit weights; see tsea_db.kernels.moments for what they are.

   Compiled without contraction of products and sums (-ffp-contract=off), so that every processor rounds alike. */

#include <math.h>
#include <string.h>

#include "_native.h"

#define SUM_LANES 16 /* mirrors tsea_db.kernels.moments */
#define N_MOMENTS 5

static double add_lanes(const double *lanes)
{
    double sum = 0.0;
    for (int lane = 0; lane < SUM_LANES; lane++) sum += lanes[lane];
    return sum;
}

#define KERNEL "_moments_kernel.h"
#include "_levels.h"

/* Mean, std, skewness, kurtosis and unscaled cosine variance of n_rows rows.

   weights: (n_rows, n_tokens), `stride` floats from row to row.
   inverse_norms: of the unembedding's columns, n_tokens.
   numbers: (n_rows, 5).
   constant: per row, whether all weights are equal; then its numbers are 0. */
EXPORT void tsea_moments(
    const float *weights, int64_t n_rows, int64_t n_tokens, int64_t stride, const double *inverse_norms,
    double *numbers, uint8_t *constant, int32_t level)
{
    int (*moments_row)(const float *, int64_t, const double *, double *) = moments_row_plain;
#ifdef X86_DISPATCH
    level = instruction_level(level);
    if (level == LEVEL_AVX512) moments_row = moments_row_avx512;
    if (level == LEVEL_AVX2) moments_row = moments_row_avx2;
#else
    (void)level;
#endif
    for (int64_t row = 0; row < n_rows; row++)
        constant[row] = (uint8_t)moments_row(weights + row * stride, n_tokens, inverse_norms, numbers + N_MOMENTS * row);
}
