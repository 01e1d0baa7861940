/* Prints a digest of products, moments and rankings of made-up numbers: `bits LEVEL`. Two processors, or two levels of
   instructions, that print the same lines compute the same bits. `make arm-test` compares this machine with 64-bit Arm. */

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "_ranking.h"

void tsea_pack(const float *, int64_t, int64_t, float *);
void tsea_multiply(const float *, int64_t, const float *, int64_t, int64_t, float *, float *, int32_t);
void tsea_moments(const float *, int64_t, int64_t, int64_t, const double *, double *, uint8_t *, int32_t);

static uint64_t state = 88172645463325252u;

/* A multiple of 2^-20 in -8 .. 8, so that products have to be rounded. */
static float next_number(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (float)((int64_t)(state >> 40) - (1 << 23)) / (1 << 20);
}

static uint64_t digest(uint64_t hash, const void *data, size_t size)
{
    for (size_t i = 0; i < size; i++) hash = (hash ^ ((const uint8_t *)data)[i]) * 1099511628211u;
    return hash;
}

static void *aligned(size_t size)
{
    void *memory = aligned_alloc(64, (size + 63) / 64 * 64);
    if (!memory) abort();
    return memory;
}

static void check_shape(int64_t n_rows, int64_t d_model, int64_t n_tokens, int32_t level)
{
    int64_t columns = (n_tokens + 31) / 32 * 32, room = (n_rows + 11) / 12 * 12;
    float *rows = aligned((size_t)(n_rows * d_model) * 4), *matrix = aligned((size_t)(d_model * n_tokens) * 4);
    float *panels = aligned((size_t)(d_model * columns) * 4), *tile = aligned((size_t)(room * d_model) * 4);
    float *product = aligned((size_t)(room * columns) * 4);
    double *norms = aligned((size_t)n_tokens * 8), *numbers = aligned((size_t)n_rows * 5 * 8);
    uint8_t *constant = aligned((size_t)n_rows);
    uint64_t products = 14695981039346656037u, rankings = products;
    ranking row;
    char *memory = aligned((size_t)lay_out_ranking(&row, NULL, n_tokens));
    for (int64_t i = 0; i < n_rows * d_model; i++) rows[i] = next_number();
    for (int64_t i = 0; i < d_model * n_tokens; i++) matrix[i] = next_number();
    for (int64_t i = 0; i < n_tokens; i++) norms[i] = 1.0 / (1.0 + (double)i);
    tsea_pack(matrix, d_model, n_tokens, panels);
    tsea_multiply(rows, n_rows, panels, d_model, n_tokens, tile, product, level);
    tsea_moments(product, n_rows, n_tokens, columns, norms, numbers, constant, level);
    lay_out_ranking(&row, memory, n_tokens);
    for (int64_t r = 0; r < n_rows; r++) {
        products = digest(products, product + r * columns, (size_t)n_tokens * 4);
        rank_tokens(product + r * columns, numbers[5 * r], numbers[5 * r + 1], instruction_level(level), &row);
        rankings = digest(rankings, row.ranked, (size_t)n_tokens * 8);
    }
    printf("%lld x %lld x %lld: product %016llx moments %016llx ranking %016llx\n", (long long)n_rows,
           (long long)d_model, (long long)n_tokens, (unsigned long long)products,
           (unsigned long long)digest(14695981039346656037u, numbers, (size_t)n_rows * 5 * 8),
           (unsigned long long)rankings);
    free(rows), free(matrix), free(panels), free(tile), free(product), free(norms), free(numbers), free(constant);
    free(memory);
}

int main(int argc, char **argv)
{
    int32_t level = argc > 1 ? atoi(argv[1]) : LEVEL_PLAIN;
    check_shape(1, 1, 1, level);
    check_shape(13, 64, 33, level);
    check_shape(12, 1025, 500, level);
    check_shape(7, 770, 5003, level);
    return 0;
}
