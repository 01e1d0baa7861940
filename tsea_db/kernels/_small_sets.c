/* Enrichment scores of small sets: their members' ranks are looked up, and every member is compared with every other.

   A sum is highest just after a member and lowest just before one. What it is there follows from the member's rank and
   the number of members before it, which a comparison of all pairs gives without sorting. That is k^2 comparisons, 16 at
   a time: up to some hundred members less work than counting blocks of the whole ranking. */

#include <string.h>

#include "_walk.h"

#define SMALL_LANES 16 /* members compared at once */

typedef struct {
    int32_t size, n_tokens, late, ties; /* as one_sum of _walk.c; whether any member ties with a token */
} small_set;

#define KERNEL "_small_sets_kernel.h"
#include "_levels.h"

typedef void kernel(small_set, const int32_t *, const int32_t *, int64_t *);

static kernel *const by_level[] = {
    walk_small_plain,
#ifdef X86_DISPATCH
    walk_small_avx2,
    walk_small_avx512,
#endif
};

int64_t lay_out_slot_ranks(slot_ranks *ranks, char *memory, int64_t n_slots)
{
    int64_t used = 0;
    ranks->ends = take_part(memory, &used, (int64_t)sizeof *ranks->ends * n_slots);
    ranks->widths = take_part(memory, &used, (int64_t)sizeof *ranks->widths * n_slots);
    return used;
}

void start_slots(slot_ranks *ranks, int64_t n_slots)
{
    for (int64_t slot = 0; slot < n_slots; slot++) ranks->widths[slot] = 1;
}

/* Note the tie groups of more than one token. With `undo`, forget them: few tokens tie, so the next row starts clean at
   little cost. */
static void note_ties(const token_place *places, const ranking *row, int undo, slot_ranks *ranks)
{
    for (int64_t block = 0, start = 0; block < row->n_blocks; block++) {
        int64_t first = BLOCK * block, n_here = row->n_tokens - first < BLOCK ? row->n_tokens - first : BLOCK;
        uint64_t ends = row->group_ends[block];
        if (ends == ~(uint64_t)0 >> (BLOCK - n_here) && start == first) {
            start = first + n_here;
            continue;
        }
        for (; ends; ends &= ends - 1) {
            int64_t end = first + __builtin_ctzll(ends) + 1, width = end - start;
            for (int64_t rank = start; rank < end && width > 1; rank++) {
                uint32_t slot = places[TOKEN_OF(row->ranked[rank])].slot;
                ranks->ends[slot] = (int32_t)end;
                ranks->widths[slot] = undo ? 1 : (int32_t)width;
            }
            start = end;
        }
    }
}

/* Look up the members' ranks, repeat the last to whole vectors, and return whether any member ties with a token. */
static int look_up(const uint32_t *members, int64_t k, const slot_ranks *ranks, int ties, int32_t *starts, int32_t *ends)
{
    int64_t i = 0;
    int32_t widest = 1;
    for (; i < k; i++) ends[i] = ranks->ends[members[i]];
    for (; i % SMALL_LANES; i++) ends[i] = ends[k - 1];
    for (int64_t j = 0; j < i; j++) starts[j] = ends[j] - 1;
    for (int64_t j = 0; j < k && ties; j++) {
        int32_t width = ranks->widths[members[j]];
        widest = width > widest ? width : widest;
        starts[j] = ends[j] - width;
    }
    for (int64_t j = k; j < i; j++) starts[j] = starts[k - 1];
    return widest > 1;
}

void score_small_sets(
    const set_tables *all, const ranking *row, slot_ranks *ranks, int32_t level, const feature_results *results)
{
    _Alignas(64) int32_t starts[SMALL_SET], ends[SMALL_SET];
    const small_tables *sets = &all->small;
    if (row->has_ties) note_ties(all->places, row, 0, ranks);
    for (int64_t i = 0; i < sets->n_sets; i++) {
        int64_t k = sets->offsets[i + 1] - sets->offsets[i], extremes[4] = {0};
        if (k) {
            int ties = look_up(sets->members + sets->offsets[i], k, ranks, row->has_ties, starts, ends);
            small_set set = {(int32_t)k, (int32_t)row->n_tokens, sets->complemented[i], ties};
            by_level[level](set, starts, ends, extremes);
        }
        report_score(row, k, sets->complemented[i], extremes, sets->set_ids[i], results);
    }
    if (row->has_ties) note_ties(all->places, row, 1, ranks);
}
