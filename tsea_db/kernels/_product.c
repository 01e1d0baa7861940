/* Logit weights: directions (n x d_model) times the unembedding (d_model x V), float32.

   Each logit weight is one chain of fused multiply-adds in order of d_model, started at 0. So its bits depend on its
   direction and its column alone: not on its place in a tile, the number of threads or the instruction set.

   The unembedding is laid out once in panels of PANEL columns, d_model x PANEL, in which the product streams from one
   end to the other. A panel stays in the second-level cache while all directions of a tile are multiplied with it. */

#include <math.h>
#include <string.h>

#include "_native.h"

#define PANEL 32         /* columns of the unembedding in a panel; mirrors tsea_db.kernels.product */
#define ROWS_MULTIPLE 12 /* every MR divides it; a tile has room for a multiple of this many rows */
#define DEPTH 1024       /* d_model is taken in steps of this, so that a step's panel and rows stay in cache */

#define KERNEL "_product_kernel.h"
#include "_levels.h"

/* Lay the unembedding out in panels; the last panel is filled up with zeros. */
EXPORT void tsea_pack(const float *unembedding, int64_t d_model, int64_t n_tokens, float *panels)
{
    for (int64_t first = 0; first < n_tokens; first += PANEL) {
        size_t n_here = (size_t)(n_tokens - first < PANEL ? n_tokens - first : PANEL);
        for (int64_t k = 0; k < d_model; k++, panels += PANEL) {
            memset(panels, 0, PANEL * sizeof *panels);
            memcpy(panels, unembedding + k * n_tokens + first, n_here * sizeof *panels);
        }
    }
}

/* Multiply n_rows directions with the packed unembedding.

   rows: (n_rows, d_model).
   panels: what tsea_pack() wrote, aligned to 64 bytes.
   packed_rows: working memory, d_model floats for each row of the tile.
   product: (n_rows rounded up to ROWS_MULTIPLE, V rounded up to PANEL), aligned to 64 bytes; what lies past n_rows and V
   is overwritten with numbers that mean nothing.
   level: see instruction_level(). */
EXPORT void tsea_multiply(
    const float *rows, int64_t n_rows, const float *panels, int64_t d_model, int64_t n_tokens, float *packed_rows,
    float *product, int32_t level)
{
    int64_t n_panels = (n_tokens + PANEL - 1) / PANEL;
    switch (instruction_level(level)) {
#ifdef X86_DISPATCH
    case LEVEL_AVX512:
        pack_rows_avx512(rows, n_rows, d_model, packed_rows);
        multiply_avx512(packed_rows, n_rows, panels, d_model, n_panels, product);
        return;
    case LEVEL_AVX2:
        pack_rows_avx2(rows, n_rows, d_model, packed_rows);
        multiply_avx2(packed_rows, n_rows, panels, d_model, n_panels, product);
        return;
#endif
    default:
        pack_rows_plain(rows, n_rows, d_model, packed_rows);
        multiply_plain(packed_rows, n_rows, panels, d_model, n_panels, product);
    }
}
