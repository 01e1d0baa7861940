/* Tokens in descending order of logit weight, for the walk. */

#ifndef TSEA_RANKING_H
#define TSEA_RANKING_H

#include "_native.h"

#define TOKEN_BITS 21 /* of a key: falling image of the logit weight << TOKEN_BITS | token; fits a signed word */
#define TOKEN_OF(key) ((key) & ((1 << TOKEN_BITS) - 1))
#define SEGMENT 16    /* keys ordered at once */
#define BLOCK 64      /* ranks counted at once: one machine word of hits for a set */

/* One row's ranking and the working memory of making it; every part starts on a cache line. */
typedef struct {
    uint32_t *places;     /* per bucket: where its next key goes */
    uint8_t *starts;      /* per place: whether a bucket starts there */
    int64_t *scattered;   /* keys by bucket */
    int64_t *ranked;      /* keys in order; whole blocks and one more, filled up with INT64_MAX */
    uint64_t *group_ends; /* per block: one bit a rank, set where a tie group ends */
    int64_t n_tokens, n_buckets, n_blocks;
    int32_t has_ties;     /* whether any two tokens share a logit weight */
} ranking;

/* Give `size` bytes of `memory`, counted by `used`, to a part; with no memory, only count. */
void *take_part(char *memory, int64_t *used, int64_t size);

/* Lay a ranking out in `memory` and return how much that takes; with no memory, only say so. */
int64_t lay_out_ranking(ranking *row, char *memory, int64_t n_tokens);

/* Rank one row of logit weights. Its mean and std only spread the work evenly. */
void rank_tokens(const float *weights, double mean, double std, int32_t level, ranking *row);

#endif
