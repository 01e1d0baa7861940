/* One block of the product: MR directions by one panel of the unembedding. _product.c says how blocks fit together.

   Each logit weight is its own accumulator lane, and takes its products in order of d_model, one fused multiply-add
   each. Lanes never meet, so their number changes no bit. */

#if WITH_AVX512
#define MR 12
#define VECTORS 2
typedef __m512 FN(vector);
#define ZERO() _mm512_setzero_ps()
#define LOAD(p) _mm512_load_ps(p)
#define STORE(p, v) _mm512_store_ps(p, v)
#define FUSED(x, weight, v) _mm512_fmadd_ps(_mm512_set1_ps(weight), v, x)
#elif WITH_AVX2
#define MR 6
#define VECTORS 2
typedef __m256 FN(vector);
#define ZERO() _mm256_setzero_ps()
#define LOAD(p) _mm256_load_ps(p)
#define STORE(p, v) _mm256_store_ps(p, v)
#define FUSED(x, weight, v) _mm256_fmadd_ps(_mm256_set1_ps(weight), v, x)
#elif WITH_NEON
#define MR 6
#define VECTORS 4
typedef float32x4_t FN(vector);
#define ZERO() vdupq_n_f32(0.0f)
#define LOAD(p) vld1q_f32(p)
#define STORE(p, v) vst1q_f32(p, v)
#define FUSED(x, weight, v) vfmaq_n_f32(x, v, weight)
#else
#define MR 6
#define VECTORS 8
typedef float FN(vector);
#define ZERO() 0.0f
#define LOAD(p) (*(p))
#define STORE(p, v) (*(p) = (v))
#define FUSED(x, weight, v) fmaf(weight, v, x)
#endif

#define LANES ((int64_t)(sizeof(FN(vector)) / sizeof(float)))
#define COLUMNS (VECTORS * LANES) /* of a panel that are done together */

/* Continue MR x COLUMNS sums over `depth` products; `first` starts them. `rows` holds MR weights for each step. */
static TARGET inline void FN(multiply_block)(
    const float *restrict rows, const float *restrict panel, int64_t depth, int first, float *restrict sums,
    int64_t stride)
{
    FN(vector) x[MR][VECTORS];
    for (int r = 0; r < MR; r++)
        for (int v = 0; v < VECTORS; v++) x[r][v] = first ? ZERO() : LOAD(sums + r * stride + v * LANES);
    for (int64_t k = 0; k < depth; k++, rows += MR, panel += PANEL) {
        FN(vector) u[VECTORS];
        for (int v = 0; v < VECTORS; v++) u[v] = LOAD(panel + v * LANES);
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC unroll 12
#endif
        for (int r = 0; r < MR; r++)
            for (int v = 0; v < VECTORS; v++) x[r][v] = FUSED(x[r][v], rows[r], u[v]);
    }
    for (int r = 0; r < MR; r++)
        for (int v = 0; v < VECTORS; v++) STORE(sums + r * stride + v * LANES, x[r][v]);
}

/* Lay directions out in blocks of MR, one weight of each after the other; the last block is filled up with zeros. */
static void FN(pack_rows)(const float *rows, int64_t n_rows, int64_t d_model, float *packed)
{
    for (int64_t first = 0; first < n_rows; first += MR, packed += MR * d_model)
        for (int64_t r = 0; r < MR; r++)
            for (int64_t k = 0; k < d_model; k++)
                packed[MR * k + r] = first + r < n_rows ? rows[(first + r) * d_model + k] : 0.0f;
}

/* Multiply packed directions with all panels. */
static TARGET void FN(multiply)(
    const float *packed_rows, int64_t n_rows, const float *panels, int64_t d_model, int64_t n_panels, float *product)
{
    int64_t stride = PANEL * n_panels;
    for (int64_t panel = 0; panel < n_panels; panel++, panels += PANEL * d_model)
        for (int64_t start = 0; start < d_model; start += DEPTH) {
            int64_t depth = d_model - start < DEPTH ? d_model - start : DEPTH;
            for (int64_t column = 0; column < PANEL; column += COLUMNS)
                for (int64_t first = 0; first < n_rows; first += MR)
                    FN(multiply_block)(
                        packed_rows + first * d_model + MR * start, panels + PANEL * start + column, depth, start == 0,
                        product + first * stride + PANEL * panel + column, stride);
        }
}

#undef MR
#undef VECTORS
#undef ZERO
#undef LOAD
#undef STORE
#undef FUSED
#undef LANES
#undef COLUMNS
