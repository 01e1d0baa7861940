/* What the two ways of walking down a ranking share; see _walk.c and _small_sets.c. */

#ifndef TSEA_WALK_H
#define TSEA_WALK_H

#include "_ranking.h"

#define SMALL_SET 128 /* largest set that _small_sets.c scores; mirrors tsea_db.kernels.native_sets */

/* Sets with few members on their counted side, or none; mirrors tsea_db.kernels.native_sets.NativeSets. */
typedef struct {
    int64_t n_sets;
    const int64_t *set_ids;      /* their places among all sets */
    const uint8_t *complemented; /* whether the counted side is the complement */
    const int64_t *offsets;      /* per set and one more: where its members start */
    const uint32_t *members;     /* slots of the members */
    int64_t n_slots;             /* see token_place */
} small_tables;

/* All other sets, each a lane. Lanes come in groups of 256, in words of 64. */
typedef struct {
    int64_t n_lanes;
    const int64_t *set_ids;
    const uint8_t *complemented;
    const int64_t *sizes;         /* k of the counted side */
    const int64_t *first_rows;    /* per group and one more: where its rows start */
    const uint32_t *row_of_token; /* per group after the first, and token: as token_place.row */
    const uint64_t *rows;         /* the distinct rows of membership bits: row, word */
    const uint8_t *columns;       /* the same by bytes, each group transposed: byte, row */
} lane_tables;

/* Where a token is found: which row of the first group holds its bits (row 0 has none), and which slot its rank goes to.
   Tokens of small sets have a slot each, from 1; all others share slot 0. Together, so that one look serves both. */
typedef struct {
    uint32_t row, slot;
} token_place;

/* Sets as the library reads them. */
typedef struct {
    int64_t n_tokens, n_sets;
    const token_place *places;
    small_tables small;
    lane_tables lanes;
} set_tables;

/* Where one feature's results go; mirrors tsea_db.kernels.compiled_walk. */
typedef struct {
    int64_t n_listed;
    int32_t *top_ids, *bottom_ids;
    float *es;
    int32_t *peak_rank, *hits;
} feature_results;

/* Per slot: the tokens until the end of its token's tie group, and the size of that group. */
typedef struct {
    int32_t *ends, *widths;
} slot_ranks;

/* As lay_out_ranking(). */
int64_t lay_out_slot_ranks(slot_ranks *ranks, char *memory, int64_t n_slots);

/* Before the first row: no token ties with another. */
void start_slots(slot_ranks *ranks, int64_t n_slots);

/* Score the small sets of one ranked row, once each slot's end is noted as if there were no ties. */
void score_small_sets(
    const set_tables *sets, const ranking *row, slot_ranks *ranks, int32_t level, const feature_results *results);

/* Turn the extremes of a counted side (highest numerator, its rank, lowest, its rank) into the score of set `set`. */
void report_score(
    const ranking *row, int64_t k, int complemented, const int64_t *extremes, int64_t set, const feature_results *results);

#endif
