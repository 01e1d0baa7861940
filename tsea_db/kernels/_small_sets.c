/* Enrichment scores of small sets: their members' ranks are looked up, and every member is compared with every other.

   A sum is highest just after a member and lowest just before one. What it is there follows from the member's rank and
   the number of members before it, which a comparison of all pairs gives without sorting. That is k^2 comparisons, 16 at
   a time: up to some hundred members less work than counting blocks of the whole ranking. */

#include <string.h>

#include "_walk.h"

#define SMALL_LANES 16 /* members compared at once */

typedef struct {
    int32_t size, n_tokens, late, ties; /* as one_sum of _walk.c; whether any two tokens of the row tie */
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
    ranks->starts = take_part(memory, &used, (int64_t)sizeof *ranks->starts * n_slots);
    ranks->ends = take_part(memory, &used, (int64_t)sizeof *ranks->ends * n_slots);
    return used;
}

/* Note for every slot how many tokens come before its token's tie group and how many until its end. */
static void invert_ranking(const small_tables *sets, const ranking *row, slot_ranks *ranks)
{
    const uint32_t *slots = sets->slot_of_token;
    if (!row->has_ties) {
        for (int64_t rank = 0; rank < row->n_tokens; rank++)
            ranks->ends[slots[TOKEN_OF(row->ranked[rank])]] = (int32_t)rank + 1;
        return;
    }
    for (int64_t start = 0, end; start < row->n_tokens; start = end) {
        end = start + 1;
        while (end < row->n_tokens && row->ranked[end] >> TOKEN_BITS == row->ranked[start] >> TOKEN_BITS) end++;
        for (int64_t rank = start; rank < end; rank++) {
            uint32_t slot = slots[TOKEN_OF(row->ranked[rank])];
            ranks->starts[slot] = (int32_t)start;
            ranks->ends[slot] = (int32_t)end;
        }
    }
}

/* Look up the members' ranks and repeat the last to whole vectors. */
static void look_up(
    const uint32_t *members, int64_t k, const slot_ranks *ranks, int ties, int32_t *starts, int32_t *ends)
{
    int64_t i = 0;
    for (; i < k; i++) ends[i] = ranks->ends[members[i]];
    for (; i % SMALL_LANES; i++) ends[i] = ends[k - 1];
    if (ties) {
        for (i = 0; i < k; i++) starts[i] = ranks->starts[members[i]];
        for (; i % SMALL_LANES; i++) starts[i] = starts[k - 1];
    } else {
        for (int64_t j = 0; j < i; j++) starts[j] = ends[j] - 1;
    }
}

void score_small_sets(
    const small_tables *sets, const ranking *row, slot_ranks *ranks, int32_t level, const feature_results *results)
{
    _Alignas(64) int32_t starts[SMALL_SET], ends[SMALL_SET];
    if (sets->n_sets == 0) return;
    invert_ranking(sets, row, ranks);
    for (int64_t i = 0; i < sets->n_sets; i++) {
        int64_t k = sets->offsets[i + 1] - sets->offsets[i], extremes[4] = {0};
        if (k) {
            small_set set = {(int32_t)k, (int32_t)row->n_tokens, sets->complemented[i], row->has_ties};
            look_up(sets->members + sets->offsets[i], k, ranks, row->has_ties, starts, ends);
            by_level[level](set, starts, ends, extremes);
        }
        report_score(row, k, sets->complemented[i], extremes, sets->set_ids[i], results);
    }
}
