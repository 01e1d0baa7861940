/* Enrichment scores of features against token sets: the compiled form of running_sum.walk_row and ranking.rank_row.

   Same definitions, same exact integers, other route:
   1. Sort the tokens by logit weight: one pass into buckets of equal steps of weight, then each small bucket by itself.
   2. Cut the ranking into blocks of 64. Each token has one bit a set; an adder tree over 64 rows of bits counts the hits
      of 512 sets at once.
   3. Follow all running sums from block end to block end in float. The largest magnitude met is a lower bound of |ES|.
   4. Follow them again. Only a block in which a sum could reach that bound, its hits all first or its misses all first,
      is walked token by token, in integers. SLACK covers the rounding of steps 3 and 4, so no extreme is missed.
   Results do not depend on other features, other sets or the instruction set. */

#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "_walk.h"

#if defined(__x86_64__) && defined(__GNUC__)
#include <immintrin.h>
#define X86_DISPATCH 1
#endif

#if defined(_WIN32)
#define EXPORT __declspec(dllexport)
#else
#define EXPORT __attribute__((visibility("default")))
#endif

/* Sums lie in -1 .. 1 and are differences of two terms below 2, each wrong by at most 3 roundings of float32. */
#define SLACK 4e-6f
#define BELOW_ALL (-((int64_t)1 << 62))
#define BUCKET_TOKENS 4  /* tokens to a bucket on average */
#define BUCKET_RANGE 5.0 /* buckets cover this many standard deviations on either side of the mean */

/* Sets as the walk reads them; mirrors tsea_db.kernels.compiled_walk. Sets come in groups of 512, in words of 64. */
typedef struct {
    int64_t n_tokens, n_sets;
    const int64_t *sizes;         /* k of the counted side of each set, 0 if it cannot be scored */
    const uint8_t *complemented;  /* whether the counted side is the complement */
    const int64_t *first_rows;    /* per group and one more: where its rows start */
    const uint32_t *row_of_token; /* per group and token: which row of the group; row 0 has no bit set */
    const uint64_t *rows;         /* the distinct rows of membership bits: row, word */
    const uint8_t *columns;       /* the same by bytes, each group transposed: byte, row */
} set_tables;

/* Where one feature's results go; mirrors tsea_db.kernels.compiled_walk too. */
typedef struct {
    int64_t n_listed;
    int32_t *top_ids, *bottom_ids;
    float *es;
    int32_t *peak_rank, *hits;
} feature_results;

/* The low 8 bits, one to a byte. */
static inline uint64_t bits_to_bytes(uint64_t bits)
{
    uint64_t apart = ((bits & 0xFF) * 0x0101010101010101u) & 0x8040201008040201u;
    return ((apart + 0x7F7F7F7F7F7F7F7Fu) >> 7) & 0x0101010101010101u;
}

static int compare_keys(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

#define FN(name) name##_plain
#define TARGET
#define WITH_AVX512 0
#include "_walk_kernel.h"
#undef FN
#undef TARGET
#undef WITH_AVX512

#ifdef X86_DISPATCH
#define FN(name) name##_avx2
#define TARGET __attribute__((target("avx2,fma,bmi,bmi2,popcnt")))
#define WITH_AVX512 0
#include "_walk_kernel.h"
#undef FN
#undef TARGET
#undef WITH_AVX512

#define FN(name) name##_avx512
#define TARGET __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,fma,bmi,bmi2,popcnt")))
#define WITH_AVX512 1
#include "_walk_kernel.h"
#undef FN
#undef TARGET
#undef WITH_AVX512
#endif

/* One copy of the kernels. */
typedef struct {
    void (*assign_buckets)(const float *, int64_t, float, float, float, uint32_t *, int32_t *);
    void (*order_buckets)(const int64_t *, const uint8_t *, int64_t, int64_t *);
    uint64_t (*group_ends)(const int64_t *);
    void (*count_block)(const uint32_t *, const uint64_t *, uint64_t *);
    void (*spread_counts)(const uint64_t *, uint8_t *);
    void (*bound_scores)(const uint8_t *, const uint64_t *, int64_t, int64_t, lane_bounds *);
    int64_t (*find_candidates)(const uint8_t *, int64_t, int64_t, lane_bounds *, candidate *);
    uint64_t (*members_in_block)(const uint32_t *, const uint8_t *, int32_t);
} kernels;

#define KERNELS(set) {assign_buckets_##set, order_buckets_##set, group_ends_##set,      count_block_##set, \
                      spread_counts_##set,  bound_scores_##set,  find_candidates_##set, members_in_block_##set}
static const kernels plain = KERNELS(plain);
#ifdef X86_DISPATCH
static const kernels avx2 = KERNELS(avx2);
static const kernels avx512 = KERNELS(avx512);
#endif

/* The best copy for this processor, or at most the one named by `level`: 0 plain, 1 AVX2, 2 AVX-512. */
static const kernels *choose(int32_t level)
{
#ifdef X86_DISPATCH
    __builtin_cpu_init();
    if (level >= 2 && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
        __builtin_cpu_supports("avx512vl"))
        return &avx512;
    if (level >= 1 && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return &avx2;
#else
    (void)level;
#endif
    return &plain;
}

/* Working memory of one thread; every part starts on a cache line. */
typedef struct {
    uint32_t *images;      /* per token: the upper part of its key */
    int32_t *buckets;      /* per token */
    uint32_t *places;      /* per bucket: where its next key goes */
    uint8_t *starts;       /* per place: whether a bucket starts there */
    int64_t *scattered;    /* keys by bucket */
    int64_t *ranked;       /* keys in order */
    uint32_t *row_ids;     /* per rank, whole blocks */
    uint64_t *group_ends;  /* per block: one bit a rank, set where a tie group ends */
    uint8_t *counts;       /* per word, block and lane: hits */
    candidate *found;      /* of one word of sets, at most one for each block and lane */
    int64_t *extremes;     /* per lane: highest numerator, its rank, lowest, its rank */
    int64_t n_buckets, n_blocks;
} workspace;

static int64_t bucket_count(int64_t n_tokens)
{
    int64_t n = 1;
    while (n * BUCKET_TOKENS < n_tokens) n *= 2;
    return n;
}

/* Lay a workspace out in `memory`; with no memory, only say how much it takes. */
static int64_t lay_out(workspace *work, char *memory, int64_t n_tokens, int64_t n_sets)
{
    int64_t used = 0, n_blocks = (n_tokens + BLOCK - 1) / BLOCK, n_buckets = bucket_count(n_tokens);
    int64_t n_words = n_sets < ROW_SETS ? (n_sets + WORD_SETS - 1) / WORD_SETS : ROW_WORDS;
    work->n_blocks = n_blocks;
    work->n_buckets = n_buckets;
#define PART(field, count) do { \
        work->field = memory ? (void *)(memory + used) : NULL; \
        used += ((int64_t)sizeof *work->field * (count) + 63) / 64 * 64; \
    } while (0)
    PART(images, n_tokens);
    PART(buckets, n_tokens);
    PART(places, n_buckets);
    PART(starts, n_tokens + SEGMENT + 1);
    PART(scattered, n_tokens + SEGMENT); /* segments and blocks are read in full past the last token */
    PART(ranked, n_blocks * BLOCK + SEGMENT);
    PART(row_ids, n_blocks * BLOCK);
    PART(group_ends, n_blocks);
    PART(counts, n_words * n_blocks * WORD_SETS);
    PART(found, n_blocks * WORD_SETS);
    PART(extremes, 4 * WORD_SETS);
#undef PART
    return used;
}

/* Sort the tokens into work->ranked. */
static void rank_tokens(const kernels *use, const float *weights, int64_t n, double mean, double std, workspace *work)
{
    float top = (float)(mean + BUCKET_RANGE * std);
    float step = (float)((double)work->n_buckets / (2 * BUCKET_RANGE * std));
    uint32_t *places = work->places, before = 0;
    use->assign_buckets(weights, n, top, step, (float)(work->n_buckets - 1), work->images, work->buckets);
    memset(places, 0, sizeof *places * (size_t)work->n_buckets);
    memset(work->starts, 0, (size_t)(n + SEGMENT + 1));
    for (int64_t i = 0; i < n; i++) places[work->buckets[i]]++;
    for (int64_t b = 0; b < work->n_buckets; b++) {
        uint32_t count = places[b];
        places[b] = before;
        work->starts[before] = 1;
        before += count;
    }
    work->starts[n] = 1;
    for (int64_t i = 0; i < n; i++)
        work->scattered[places[work->buckets[i]]++] = (int64_t)work->images[i] << TOKEN_BITS | i;
    for (int64_t i = n; i < n + SEGMENT; i++) work->scattered[i] = INT64_MAX;
    use->order_buckets(work->scattered, work->starts, n, work->ranked);
}

/* Mark the ranks at which tie groups end. */
static void mark_group_ends(const kernels *use, workspace *work, int64_t n)
{
    for (int64_t rank = n; rank < work->n_blocks * BLOCK + 1; rank++) work->ranked[rank] = INT64_MAX;
    for (int64_t block = 0; block < work->n_blocks; block++)
        work->group_ends[block] = use->group_ends(work->ranked + BLOCK * block);
    if (n % BLOCK) work->group_ends[work->n_blocks - 1] &= ~(uint64_t)0 >> (BLOCK - n % BLOCK);
}

typedef struct {
    int64_t n_tokens, size;
    int late; /* whether a maximum is wanted at its last rank and a minimum at its first, not the reverse */
    int64_t *extreme; /* highest, its rank, lowest, its rank */
} one_sum;

/* Blocks may come in any order, so a tie between ranks is settled by the ranks. */
static inline void look_up(one_sum sum, int64_t hits, int64_t rank)
{
    int64_t deviation = hits * sum.n_tokens - rank * sum.size, best = sum.extreme[0], at = sum.extreme[1];
    if (deviation > best || (deviation == best && (sum.late ? rank > at : rank < at))) {
        sum.extreme[0] = deviation;
        sum.extreme[1] = rank;
    }
}

static inline void look_down(one_sum sum, int64_t hits, int64_t rank)
{
    int64_t deviation = hits * sum.n_tokens - rank * sum.size, best = sum.extreme[2], at = sum.extreme[3];
    if (deviation < best || (deviation == best && (sum.late ? rank < at : rank > at))) {
        sum.extreme[2] = deviation;
        sum.extreme[3] = rank;
    }
}

/* Walk one block exactly. `ends` are its group ends, `members` its hits, `start` the tokens before it. */
static void walk_block(one_sum sum, int64_t hits, int64_t start, int64_t n_here, uint64_t ends, uint64_t members)
{
    if (ends == ~(uint64_t)0 >> (BLOCK - n_here)) { /* no ties: highest after a hit, lowest before one or at the end */
        look_up(sum, hits + (int64_t)(members & 1), start + 1); /* a tie group with hits before may end here */
        for (; members; members &= members - 1) {
            int64_t rank = start + __builtin_ctzll(members);
            if (rank > start) look_down(sum, hits, rank);
            look_up(sum, ++hits, rank + 1);
        }
        look_down(sum, hits, start + n_here);
        return;
    }
    for (; ends; ends &= ends - 1) {
        int place = __builtin_ctzll(ends);
        int64_t here = hits + __builtin_popcountll(members & (~(uint64_t)0 >> (BLOCK - 1 - place)));
        look_up(sum, here, start + place + 1);
        look_down(sum, here, start + place + 1);
    }
}

static void start_word(const set_tables *sets, int64_t first_set, lane_bounds *lanes, int64_t *extremes)
{
    for (int64_t lane = 0; lane < WORD_SETS; lane++) {
        int64_t k = first_set + lane < sets->n_sets ? sets->sizes[first_set + lane] : 0;
        double n = (double)sets->n_tokens, others = n - (double)k;
        lanes->rise[lane] = k ? (float)(n / ((double)k * others)) : 0.0f;
        lanes->fall[lane] = k ? (float)(1.0 / others) : 0.0f;
        lanes->gain[lane] = k ? (float)(1.0 / (double)k) : 0.0f;
        extremes[4 * lane] = BELOW_ALL;
        extremes[4 * lane + 1] = extremes[4 * lane + 2] = extremes[4 * lane + 3] = 0;
    }
}

/* The membership bits of one word of sets: 8 columns of bytes. */
typedef struct {
    int64_t first_set, n_rows;
    const uint8_t *columns;
} word_sets;

/* Walk one candidate and return the largest magnitude met so far in its sum. */
static float refine(
    const kernels *use, const set_tables *sets, word_sets word, candidate found, workspace *work)
{
    int64_t n = sets->n_tokens, start = BLOCK * (int64_t)found.block, s = word.first_set + found.lane;
    int64_t n_here = n - start < BLOCK ? n - start : BLOCK, *extreme = work->extremes + 4 * found.lane;
    one_sum sum = {n, sets->sizes[s], sets->complemented[s], extreme};
    const uint8_t *column = word.columns + found.lane / 8 * word.n_rows;
    uint64_t members = use->members_in_block(work->row_ids + start, column, found.lane % 8);
    walk_block(sum, found.hits_before, start, n_here, work->group_ends[found.block], members);
    int64_t largest = extreme[0] > -extreme[2] ? extreme[0] : -extreme[2];
    return (float)((double)largest / ((double)sum.size * (double)(n - sum.size)));
}

/* Walk the candidates; for each set the most promising one first, since it often rules out the others. */
static void refine_all(
    const kernels *use, const set_tables *sets, word_sets word, int64_t n_found, lane_bounds *lanes, workspace *work)
{
    const candidate *found = work->found;
    int64_t first[WORD_SETS];
    for (int64_t lane = 0; lane < WORD_SETS; lane++) first[lane] = -1;
    for (int64_t i = 0; i < n_found; i++) {
        int64_t *best = first + found[i].lane;
        if (*best < 0 || found[i].reach > found[*best].reach) *best = i;
    }
    for (int64_t lane = 0; lane < WORD_SETS; lane++) {
        if (first[lane] < 0) continue;
        float largest = refine(use, sets, word, found[first[lane]], work) - SLACK;
        if (largest > lanes->threshold[lane]) lanes->threshold[lane] = largest;
    }
    for (int64_t i = 0; i < n_found; i++)
        if (i != first[found[i].lane] && found[i].reach >= lanes->threshold[found[i].lane])
            refine(use, sets, word, found[i], work);
}

/* Find the extremes of 64 sets from their counts. */
static void walk_word(
    const kernels *use, const set_tables *sets, word_sets word, const uint8_t *counts, workspace *work)
{
    lane_bounds lanes;
    int64_t n = sets->n_tokens, n_found;
    start_word(sets, word.first_set, &lanes, work->extremes);
    use->bound_scores(counts, work->group_ends, work->n_blocks, n, &lanes);
    for (int64_t lane = 0; lane < WORD_SETS; lane++)
        lanes.threshold[lane] = lanes.gain[lane] > 0.0f ? lanes.threshold[lane] - SLACK : INFINITY;
    n_found = use->find_candidates(counts, work->n_blocks, n, &lanes, work->found);
    refine_all(use, sets, word, n_found, &lanes, work);
}

/* Count the hits of the sets of one group, block by block. */
static void count_group(const kernels *use, const set_tables *sets, int64_t group, int64_t n_words, workspace *work)
{
    const uint32_t *row_of_token = sets->row_of_token + group * sets->n_tokens;
    const uint64_t *rows = sets->rows + ROW_WORDS * sets->first_rows[group];
    uint64_t planes[PLANES * ROW_WORDS];
    int64_t n = sets->n_tokens;
    for (int64_t rank = 0; rank < n; rank++) work->row_ids[rank] = row_of_token[TOKEN_OF(work->ranked[rank])];
    for (int64_t rank = n; rank < work->n_blocks * BLOCK; rank++) work->row_ids[rank] = 0;
    for (int64_t block = 0; block < work->n_blocks; block++) {
        use->count_block(work->row_ids + BLOCK * block, rows, planes);
        for (int64_t word = 0; word < n_words; word++)
            use->spread_counts(planes + word, work->counts + WORD_SETS * (word * work->n_blocks + block));
    }
}

static int64_t first_group_end(const workspace *work)
{
    int64_t block = 0;
    while (!work->group_ends[block]) block++;
    return BLOCK * block + __builtin_ctzll(work->group_ends[block]) + 1;
}

/* Turn the extremes of the counted sides into scores; the same steps as running_sum._report. */
static void report_word(const set_tables *sets, int64_t first_set, const workspace *work, feature_results *results)
{
    for (int64_t s = first_set; s < first_set + WORD_SETS && s < sets->n_sets; s++) {
        int64_t n = sets->n_tokens, k = sets->sizes[s], deviation, rank, count;
        const int64_t *extreme = work->extremes + 4 * (s - first_set);
        if (k == 0) {
            results->es[s] = 0.0f;
            results->peak_rank[s] = (int32_t)n;
            results->hits[s] = sets->complemented[s] ? (int32_t)n : 0;
            continue;
        }
        if (extreme[0] == 0 && extreme[2] == 0) {
            deviation = 0;
            rank = first_group_end(work);
        } else if (extreme[0] > -extreme[2] || (extreme[0] == -extreme[2] && !sets->complemented[s])) {
            deviation = extreme[0];
            rank = extreme[1];
        } else {
            deviation = extreme[2];
            rank = extreme[3];
        }
        count = (deviation + rank * k) / n; /* exact: deviation = count * n - rank * k */
        if (sets->complemented[s]) {
            deviation = -deviation;
            count = rank - count;
        }
        results->es[s] = (float)((double)deviation / (double)(k * (n - k)));
        results->peak_rank[s] = (int32_t)rank;
        results->hits[s] = (int32_t)count;
    }
}

EXPORT int64_t tsea_workspace_bytes(int64_t n_tokens, int64_t n_sets)
{
    workspace work;
    return lay_out(&work, NULL, n_tokens, n_sets);
}

/* Rank one feature and score it against all sets. */
static void score_row(
    const kernels *use, const float *weights, double mean, double std, const set_tables *sets, feature_results results,
    workspace *work)
{
    int64_t n = sets->n_tokens;
    rank_tokens(use, weights, n, mean, std, work);
    mark_group_ends(use, work, n);
    for (int64_t i = 0; i < results.n_listed; i++) {
        results.top_ids[i] = (int32_t)TOKEN_OF(work->ranked[i]);
        results.bottom_ids[i] = (int32_t)TOKEN_OF(work->ranked[n - 1 - i]);
    }
    for (int64_t group = 0; group * ROW_SETS < sets->n_sets; group++) {
        int64_t n_rows = sets->first_rows[group + 1] - sets->first_rows[group];
        int64_t n_left = sets->n_sets - group * ROW_SETS;
        int64_t n_words = n_left < ROW_SETS ? (n_left + WORD_SETS - 1) / WORD_SETS : ROW_WORDS;
        const uint8_t *columns = sets->columns + 8 * ROW_WORDS * sets->first_rows[group];
        count_group(use, sets, group, n_words, work);
        for (int64_t w = 0; w < n_words; w++) {
            word_sets word = {group * ROW_SETS + w * WORD_SETS, n_rows, columns + 8 * w * n_rows};
            walk_word(use, sets, word, work->counts + WORD_SETS * w * work->n_blocks, work);
            report_word(sets, word.first_set, work, &results);
        }
    }
}

/* Rank and score n_rows features.

   weights: logit weights, (n_rows, n_tokens), finite.
   means, stds: of each row; an error in them costs time, not correctness.
   results: of the first feature; those of the others follow.
   memory: tsea_workspace_bytes() bytes, aligned to 64.
   level: see choose(). */
EXPORT void tsea_score_rows(
    const float *weights, int64_t n_rows, const double *means, const double *stds, const set_tables *sets,
    const feature_results *results, char *memory, int32_t level)
{
    const kernels *use = choose(level);
    feature_results here = *results;
    workspace work;
    lay_out(&work, memory, sets->n_tokens, sets->n_sets);
    for (int64_t row = 0; row < n_rows; row++) {
        score_row(use, weights + row * sets->n_tokens, means[row], stds[row], sets, here, &work);
        here.top_ids += here.n_listed;
        here.bottom_ids += here.n_listed;
        here.es += sets->n_sets;
        here.peak_rank += sets->n_sets;
        here.hits += sets->n_sets;
    }
}
