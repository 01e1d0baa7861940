/* Enrichment scores of features against token sets: the compiled form of running_sum.walk_row.

   Same definitions, same exact integers, other route. Small sets go another way still, see _small_sets.c; for the rest:
   1. Cut the ranking into blocks of 64. Each token has one bit a set; an adder tree over 64 rows of bits counts the hits
      of 256 sets at once.
   2. Follow all running sums from block end to block end in float. The largest magnitude met is a lower bound of |ES|.
   3. Follow them again. Only a block in which a sum could reach that bound, its hits all first or its misses all first,
      is walked token by token, in integers. SLACK covers the rounding of steps 2 and 3, so no extreme is missed.
   Results do not depend on other features, other sets or the instruction set. */

#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "_walk.h"

#define WORD_SETS 64
#define ROW_WORDS 4 /* words of one row of membership bits: one 256-bit register */
#define ROW_SETS (WORD_SETS * ROW_WORDS)
#define PLANES 7    /* binary digits of a count of 0 to 64 */

/* Sums lie in -1 .. 1 and are differences of two terms below 2, each wrong by at most 3 roundings of float32. */
#define SLACK 4e-6f
#define BELOW_ALL (-((int64_t)1 << 62))

/* Where the sums of 64 sets stand, as floats: only to find the blocks that deserve exact work. */
typedef struct {
    float rise[WORD_SETS];      /* V / (k (V - k)): what a hit adds over a miss */
    float fall[WORD_SETS];      /* 1 / (V - k): what a miss takes */
    float gain[WORD_SETS];      /* 1 / k: what a hit adds */
    float threshold[WORD_SETS]; /* |ES| is at least this, but for rounding */
} lane_bounds;

/* A set whose sum may have its extreme in a block. */
typedef struct {
    int32_t block, lane, hits_before;
    float reach; /* no magnitude inside the block is larger, but for rounding */
} candidate;

/* The low 8 bits, one to a byte. */
static inline uint64_t bits_to_bytes(uint64_t bits)
{
    uint64_t apart = ((bits & 0xFF) * 0x0101010101010101u) & 0x8040201008040201u;
    return ((apart + 0x7F7F7F7F7F7F7F7Fu) >> 7) & 0x0101010101010101u;
}

#define KERNEL "_walk_kernel.h"
#include "_levels.h"

/* One copy of the kernels. */
typedef struct {
    void (*count_block)(const uint32_t *, const uint64_t *, uint64_t *);
    void (*spread_counts)(const uint64_t *, uint8_t *);
    void (*bound_scores)(const uint8_t *, const uint64_t *, int64_t, int64_t, lane_bounds *);
    int64_t (*find_candidates)(const uint8_t *, int64_t, int64_t, lane_bounds *, candidate *);
    uint64_t (*members_in_block)(const uint32_t *, const uint8_t *, int32_t);
} kernels;

#define KERNELS(level) {count_block_##level, spread_counts_##level, bound_scores_##level, find_candidates_##level, \
                        members_in_block_##level}
static const kernels by_level[] = {
    KERNELS(plain),
#ifdef X86_DISPATCH
    KERNELS(avx2),
    KERNELS(avx512),
#endif
};

/* Working memory of one thread; every part starts on a cache line. */
typedef struct {
    ranking row;
    slot_ranks ranks;
    uint32_t *row_ids; /* per rank, whole blocks */
    uint8_t *counts;   /* per word, block and lane: hits */
    candidate *found;  /* of one word of sets, at most one for each block and lane */
    int64_t *extremes; /* per lane: highest numerator, its rank, lowest, its rank */
} workspace;

/* Lay a workspace out in `memory`; with no memory, only say how much it takes. */
static int64_t lay_out(workspace *work, char *memory, int64_t n_tokens, int64_t n_slots, int64_t n_lanes)
{
    int64_t used = lay_out_ranking(&work->row, memory, n_tokens), n_blocks = work->row.n_blocks;
    int64_t n_words = n_lanes < ROW_SETS ? (n_lanes + WORD_SETS - 1) / WORD_SETS : ROW_WORDS;
    used += lay_out_slot_ranks(&work->ranks, memory ? memory + used : NULL, n_slots);
#define PART(field, count) work->field = take_part(memory, &used, (int64_t)sizeof *work->field * (count))
    PART(row_ids, n_blocks * BLOCK);
    PART(counts, n_words * n_blocks * WORD_SETS);
    PART(found, n_blocks * WORD_SETS);
    PART(extremes, 4 * WORD_SETS);
#undef PART
    return used;
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

static void start_word(const lane_tables *sets, int64_t n_tokens, int64_t first_lane, lane_bounds *lanes, int64_t *extremes)
{
    for (int64_t lane = 0; lane < WORD_SETS; lane++) {
        int64_t k = first_lane + lane < sets->n_lanes ? sets->sizes[first_lane + lane] : 0;
        double n = (double)n_tokens, others = n - (double)k;
        lanes->rise[lane] = k ? (float)(n / ((double)k * others)) : 0.0f;
        lanes->fall[lane] = k ? (float)(1.0 / others) : 0.0f;
        lanes->gain[lane] = k ? (float)(1.0 / (double)k) : 0.0f;
        extremes[4 * lane] = BELOW_ALL;
        extremes[4 * lane + 1] = extremes[4 * lane + 2] = extremes[4 * lane + 3] = 0;
    }
}

/* The membership bits of one word of sets: 8 columns of bytes. */
typedef struct {
    int64_t first_lane, n_rows;
    const uint8_t *columns;
} word_sets;

/* Walk one candidate and return the largest magnitude met so far in its sum. */
static float refine(
    const kernels *use, const lane_tables *sets, word_sets word, candidate found, workspace *work)
{
    int64_t n = work->row.n_tokens, start = BLOCK * (int64_t)found.block, s = word.first_lane + found.lane;
    int64_t n_here = n - start < BLOCK ? n - start : BLOCK, *extreme = work->extremes + 4 * found.lane;
    one_sum sum = {n, sets->sizes[s], sets->complemented[s], extreme};
    const uint8_t *column = word.columns + found.lane / 8 * word.n_rows;
    uint64_t members = use->members_in_block(work->row_ids + start, column, found.lane % 8);
    walk_block(sum, found.hits_before, start, n_here, work->row.group_ends[found.block], members);
    int64_t largest = extreme[0] > -extreme[2] ? extreme[0] : -extreme[2];
    return (float)((double)largest / ((double)sum.size * (double)(n - sum.size)));
}

/* Walk the candidates; for each set the most promising one first, since it often rules out the others. */
static void refine_all(
    const kernels *use, const lane_tables *sets, word_sets word, int64_t n_found, lane_bounds *lanes, workspace *work)
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
    const kernels *use, const lane_tables *sets, word_sets word, const uint8_t *counts, workspace *work)
{
    lane_bounds lanes;
    const ranking *row = &work->row;
    start_word(sets, row->n_tokens, word.first_lane, &lanes, work->extremes);
    use->bound_scores(counts, row->group_ends, row->n_blocks, row->n_tokens, &lanes);
    for (int64_t lane = 0; lane < WORD_SETS; lane++)
        lanes.threshold[lane] = lanes.gain[lane] > 0.0f ? lanes.threshold[lane] - SLACK : INFINITY;
    int64_t n_found = use->find_candidates(counts, row->n_blocks, row->n_tokens, &lanes, work->found);
    refine_all(use, sets, word, n_found, &lanes, work);
}

/* Look up the row of every token for the first group of sets, and note the ends of slots, as they are without ties. */
static void look_up_tokens(const token_place *places, workspace *work)
{
    int64_t n = work->row.n_tokens;
    for (int64_t rank = 0; rank < n; rank++) {
        token_place place = places[TOKEN_OF(work->row.ranked[rank])];
        work->row_ids[rank] = place.row;
        work->ranks.ends[place.slot] = (int32_t)rank + 1;
    }
    for (int64_t rank = n; rank < work->row.n_blocks * BLOCK; rank++) work->row_ids[rank] = 0;
}

/* Count the hits of the sets of one group, block by block. */
static void count_group(const kernels *use, const lane_tables *sets, int64_t group, int64_t n_words, workspace *work)
{
    int64_t n = work->row.n_tokens, n_blocks = work->row.n_blocks;
    const uint64_t *rows = sets->rows + ROW_WORDS * sets->first_rows[group];
    uint64_t planes[PLANES * ROW_WORDS];
    if (group > 0) {
        const uint32_t *row_of_token = sets->row_of_token + (group - 1) * n;
        for (int64_t rank = 0; rank < n; rank++) work->row_ids[rank] = row_of_token[TOKEN_OF(work->row.ranked[rank])];
    }
    for (int64_t block = 0; block < n_blocks; block++) {
        use->count_block(work->row_ids + BLOCK * block, rows, planes);
        for (int64_t word = 0; word < n_words; word++)
            use->spread_counts(planes + word, work->counts + WORD_SETS * (word * n_blocks + block));
    }
}

static int64_t first_group_end(const ranking *row)
{
    int64_t block = 0;
    while (!row->group_ends[block]) block++;
    return BLOCK * block + __builtin_ctzll(row->group_ends[block]) + 1;
}

/* The same steps as running_sum._report. */
void report_score(
    const ranking *row, int64_t k, int complemented, const int64_t *extremes, int64_t set, const feature_results *results)
{
    int64_t n = row->n_tokens, deviation = extremes[0], rank = extremes[1], count;
    if (k == 0) {
        results->es[set] = 0.0f;
        results->peak_rank[set] = (int32_t)n;
        results->hits[set] = complemented ? (int32_t)n : 0;
        return;
    }
    if (extremes[0] == 0 && extremes[2] == 0) {
        rank = first_group_end(row);
    } else if (extremes[0] < -extremes[2] || (extremes[0] == -extremes[2] && complemented)) {
        deviation = extremes[2];
        rank = extremes[3];
    }
    count = (deviation + rank * k) / n; /* exact: deviation = count * n - rank * k */
    if (complemented) {
        deviation = -deviation;
        count = rank - count;
    }
    results->es[set] = (float)((double)deviation / (double)(k * (n - k)));
    results->peak_rank[set] = (int32_t)rank;
    results->hits[set] = (int32_t)count;
}

/* Score the sets of all lanes. */
static void score_lanes(
    const kernels *use, const lane_tables *sets, workspace *work, const feature_results *results)
{
    for (int64_t group = 0; group * ROW_SETS < sets->n_lanes; group++) {
        int64_t n_rows = sets->first_rows[group + 1] - sets->first_rows[group];
        int64_t n_left = sets->n_lanes - group * ROW_SETS;
        int64_t n_words = n_left < ROW_SETS ? (n_left + WORD_SETS - 1) / WORD_SETS : ROW_WORDS;
        const uint8_t *columns = sets->columns + 8 * ROW_WORDS * sets->first_rows[group];
        count_group(use, sets, group, n_words, work);
        for (int64_t w = 0; w < n_words; w++) {
            word_sets word = {group * ROW_SETS + w * WORD_SETS, n_rows, columns + 8 * w * n_rows};
            walk_word(use, sets, word, work->counts + WORD_SETS * w * work->row.n_blocks, work);
            for (int64_t s = word.first_lane; s < word.first_lane + WORD_SETS && s < sets->n_lanes; s++)
                report_score(
                    &work->row, sets->sizes[s], sets->complemented[s], work->extremes + 4 * (s - word.first_lane),
                    sets->set_ids[s], results);
        }
    }
}

EXPORT int64_t tsea_workspace_bytes(int64_t n_tokens, int64_t n_slots, int64_t n_lanes)
{
    workspace work;
    return lay_out(&work, NULL, n_tokens, n_slots, n_lanes);
}

/* Rank and score n_rows features.

   weights: logit weights, (n_rows, n_tokens), finite, `stride` floats from row to row.
   means, stds: of each row; an error in them costs time, not correctness.
   results: of the first feature; those of the others follow.
   memory: tsea_workspace_bytes() bytes, aligned to 64.
   level: see instruction_level(). */
EXPORT void tsea_score_rows(
    const float *weights, int64_t n_rows, int64_t stride, const double *means, const double *stds,
    const set_tables *sets, const feature_results *results, char *memory, int32_t level)
{
    feature_results here = *results;
    workspace work;
    level = instruction_level(level);
    lay_out(&work, memory, sets->n_tokens, sets->small.n_slots, sets->lanes.n_lanes);
    start_slots(&work.ranks, sets->small.n_slots);
    for (int64_t row = 0; row < n_rows; row++) {
        rank_tokens(weights + row * stride, means[row], stds[row], level, &work.row);
        for (int64_t i = 0; i < here.n_listed; i++) {
            here.top_ids[i] = (int32_t)TOKEN_OF(work.row.ranked[i]);
            here.bottom_ids[i] = (int32_t)TOKEN_OF(work.row.ranked[sets->n_tokens - 1 - i]);
        }
        look_up_tokens(sets->places, &work);
        score_small_sets(sets, &work.row, &work.ranks, level, &here);
        score_lanes(&by_level[level], &sets->lanes, &work, &here);
        here.top_ids += here.n_listed;
        here.bottom_ids += here.n_listed;
        here.es += sets->n_sets;
        here.peak_rank += sets->n_sets;
        here.hits += sets->n_sets;
    }
}
