/* Sort tokens by logit weight: one pass into buckets of equal steps of weight, then each small bucket by itself. Equal
   weights are ordered by ascending token; the compiled form of ranking.rank_row. */

#include <stdlib.h>
#include <string.h>

#include "_ranking.h"

#define BUCKET_TOKENS 4     /* tokens to a bucket on average */
#define BUCKET_RANGE 5.0    /* buckets cover this many standard deviations on either side of the mean */
#define CHUNK 512           /* tokens whose buckets are found at once: they stay in the first-level cache */
#define LARGEST_COUNTED 128 /* keys of a bucket that are ordered by counting */

/* How weights become buckets. */
typedef struct {
    float top;        /* the weight at which the first bucket starts */
    float per_weight; /* buckets to one unit of weight */
    float last;       /* the last bucket */
} bucket_steps;

static int compare_keys(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

#define KERNEL "_ranking_kernel.h"
#include "_levels.h"

/* One copy of the kernels. */
typedef struct {
    void (*assign_buckets)(const float *, int64_t, bucket_steps, uint32_t *, int32_t *);
    void (*order_buckets)(const int64_t *, const uint8_t *, int64_t, int64_t *);
    uint64_t (*group_ends)(const int64_t *);
} kernels;

#define KERNELS(level) {assign_buckets_##level, order_buckets_##level, group_ends_##level}
static const kernels by_level[] = {
    KERNELS(plain),
#ifdef X86_DISPATCH
    KERNELS(avx2),
    KERNELS(avx512),
#endif
};

void *take_part(char *memory, int64_t *used, int64_t size)
{
    void *part = memory ? memory + *used : NULL;
    *used += (size + 63) / 64 * 64;
    return part;
}

static int64_t bucket_count(int64_t n_tokens)
{
    int64_t n = 1;
    while (n * BUCKET_TOKENS < n_tokens) n *= 2;
    return n;
}

int64_t lay_out_ranking(ranking *row, char *memory, int64_t n_tokens)
{
    int64_t used = 0;
    row->n_tokens = n_tokens;
    row->n_buckets = bucket_count(n_tokens);
    row->n_blocks = (n_tokens + BLOCK - 1) / BLOCK;
#define PART(field, count) row->field = take_part(memory, &used, (int64_t)sizeof *row->field * (count))
    PART(places, row->n_buckets);
    PART(starts, n_tokens + SEGMENT + 1);
    PART(scattered, n_tokens + SEGMENT); /* segments and blocks are read in full past the last token */
    PART(ranked, row->n_blocks * BLOCK + SEGMENT);
    PART(group_ends, row->n_blocks);
#undef PART
    return used;
}

/* Count the tokens of each bucket, so that places[b] becomes where bucket b starts, and mark these places. */
static void find_starts(const kernels *use, const float *weights, bucket_steps steps, ranking *row)
{
    int64_t n = row->n_tokens;
    uint32_t *places = row->places, images[CHUNK], before = 0;
    int32_t buckets[CHUNK];
    memset(places, 0, sizeof *places * (size_t)row->n_buckets);
    memset(row->starts, 0, (size_t)(n + SEGMENT + 1));
    for (int64_t first = 0; first < n; first += CHUNK) {
        int64_t n_here = n - first < CHUNK ? n - first : CHUNK;
        use->assign_buckets(weights + first, n_here, steps, images, buckets);
        for (int64_t i = 0; i < n_here; i++) places[buckets[i]]++;
    }
    for (int64_t b = 0; b < row->n_buckets; b++) {
        uint32_t count = places[b];
        places[b] = before;
        row->starts[before] = 1;
        before += count;
    }
    row->starts[n] = 1;
}

/* Write the keys bucket by bucket. Buckets are found again rather than kept: that costs less than the cache they take. */
static void scatter_keys(const kernels *use, const float *weights, bucket_steps steps, ranking *row)
{
    int64_t n = row->n_tokens;
    uint32_t images[CHUNK];
    int32_t buckets[CHUNK];
    for (int64_t first = 0; first < n; first += CHUNK) {
        int64_t n_here = n - first < CHUNK ? n - first : CHUNK;
        use->assign_buckets(weights + first, n_here, steps, images, buckets);
        for (int64_t i = 0; i < n_here; i++)
            row->scattered[row->places[buckets[i]]++] = (int64_t)images[i] << TOKEN_BITS | (first + i);
    }
    for (int64_t i = n; i < n + SEGMENT; i++) row->scattered[i] = INT64_MAX;
}

/* Mark the ranks at which tie groups end. */
static void mark_group_ends(const kernels *use, ranking *row)
{
    int64_t n = row->n_tokens, n_ends = 0;
    for (int64_t rank = n; rank < row->n_blocks * BLOCK + 1; rank++) row->ranked[rank] = INT64_MAX;
    for (int64_t block = 0; block < row->n_blocks; block++)
        row->group_ends[block] = use->group_ends(row->ranked + BLOCK * block);
    if (n % BLOCK) row->group_ends[row->n_blocks - 1] &= ~(uint64_t)0 >> (BLOCK - n % BLOCK);
    for (int64_t block = 0; block < row->n_blocks; block++) n_ends += __builtin_popcountll(row->group_ends[block]);
    row->has_ties = n_ends < n;
}

void rank_tokens(const float *weights, double mean, double std, int32_t level, ranking *row)
{
    const kernels *use = &by_level[level];
    bucket_steps steps = {
        .top = (float)(mean + BUCKET_RANGE * std),
        .per_weight = (float)((double)row->n_buckets / (2 * BUCKET_RANGE * std)),
        .last = (float)(row->n_buckets - 1),
    };
    find_starts(use, weights, steps, row);
    scatter_keys(use, weights, steps, row);
    use->order_buckets(row->scattered, row->starts, row->n_tokens, row->ranked);
    mark_group_ends(use, row);
}
