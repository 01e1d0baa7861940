/* What the parts of the compiled walk share; see _walk.c for the method. */

#ifndef TSEA_WALK_H
#define TSEA_WALK_H

#include <stdint.h>

#define TOKEN_BITS 21 /* of a key: falling image of the logit weight << TOKEN_BITS | token; fits a signed word */
#define TOKEN_OF(key) ((key) & ((1 << TOKEN_BITS) - 1))
#define SEGMENT 16    /* keys ordered at once */
#define BLOCK 64      /* ranks counted at once: one machine word of hits for a set */
#define WORD_SETS 64
#define ROW_WORDS 8   /* words of one row of membership bits: one 512-bit register */
#define ROW_SETS (WORD_SETS * ROW_WORDS)
#define PLANES 7      /* binary digits of a count of 0 to 64 */
#define LARGEST_COUNTED 128 /* keys of a bucket that are ordered by counting */

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

#endif
