/* The parts of ranking whose speed depends on the instruction set; _ranking.c says how they fit together. */

/* Image of each logit weight, an integer that falls as the weight rises, and its bucket: equal steps of logit weight,
   highest first, over a few standard deviations. Adding 0 makes -0.0 the same as +0.0. Each operation on the way to the
   bucket is monotone in the weight, so buckets are in order and equal weights share one. */
static TARGET void FN(assign_buckets)(
    const float *weights, int64_t n, bucket_steps steps, uint32_t *images, int32_t *buckets)
{
    for (int64_t i = 0; i < n; i++) {
        float weight = weights[i] + 0.0f, place = (steps.top - weight) * steps.per_weight;
        int32_t bits;
        memcpy(&bits, &weight, sizeof bits);
        images[i] = (uint32_t)(bits ^ (~(bits >> 31) & 0x7FFFFFFF));
        place = place > 0.0f ? place : 0.0f;
        place = place < steps.last ? place : steps.last;
        buckets[i] = (int32_t)place;
    }
}

/* Write 16 keys to their places among themselves: the place of each is the number of smaller ones. */
static TARGET inline void FN(order_segment)(const int64_t *keys, int64_t *ordered)
{
#if WITH_AVX512
    __m512i low = _mm512_loadu_si512(keys), high = _mm512_loadu_si512(keys + 8);
    for (int i = 0; i < SEGMENT; i++) {
        __m512i key = _mm512_set1_epi64(keys[i]);
        unsigned smaller = _mm512_kunpackb(_mm512_cmplt_epi64_mask(high, key), _mm512_cmplt_epi64_mask(low, key));
        ordered[__builtin_popcount(smaller)] = keys[i];
    }
#else
    for (int i = 0; i < SEGMENT; i++) {
        int64_t place = 0;
        for (int j = 0; j < SEGMENT; j++) place += keys[j] < keys[i];
        ordered[place] = keys[i];
    }
#endif
}

/* Where the longest run of whole buckets of at most 16 keys ends that begins at `here`; `here` if there is none. */
static TARGET inline int64_t FN(segment_end)(const uint8_t *starts, int64_t here)
{
#if WITH_AVX512
    __m128i marks = _mm_loadu_si128((const void *)(starts + here + 1));
    unsigned possible = _mm_test_epi8_mask(marks, marks);
    return possible ? here + 32 - __builtin_clz(possible) : here;
#else
    int64_t next = here + SEGMENT;
    while (next > here && !starts[next]) next--;
    return next;
#endif
}

/* Order one bucket of more than 16 keys; what follows it is larger, so it may be read in whole vectors. */
static TARGET void FN(order_bucket)(const int64_t *keys, int64_t n, int64_t *ordered)
{
    if (n > LARGEST_COUNTED) { /* many equal or nearly equal weights */
        memcpy(ordered, keys, (size_t)n * sizeof *keys);
        qsort(ordered, (size_t)n, sizeof *keys, compare_keys);
        return;
    }
    for (int64_t i = 0; i < n; i++) {
        int64_t place = 0;
#if WITH_AVX512
        __m512i key = _mm512_set1_epi64(keys[i]);
        for (int64_t j = 0; j < n; j += 8)
            place += __builtin_popcount(_mm512_cmplt_epi64_mask(_mm512_loadu_si512(keys + j), key));
#else
        for (int64_t j = 0; j < n; j++) place += keys[j] < keys[i];
#endif
        ordered[place] = keys[i];
    }
}

/* Order keys that lie in the right bucket: starts[i] is 1 where a bucket starts or the last one has ended.
   What follows a segment is larger, so it may take part in the ordering: its places lie behind the segment and are
   written again with the segment that comes next. */
static TARGET void FN(order_buckets)(const int64_t *keys, const uint8_t *starts, int64_t n_tokens, int64_t *ordered)
{
    for (int64_t here = 0, next; here < n_tokens; here = next) {
        next = FN(segment_end)(starts, here);
        if (next > here) {
            FN(order_segment)(keys + here, ordered + here);
            continue;
        }
        for (next = here + SEGMENT + 1; !starts[next]; next++) continue;
        FN(order_bucket)(keys + here, next - here, ordered + here);
    }
}

/* For each rank of a block: one bit, set if the next token has another logit weight. */
static TARGET uint64_t FN(group_ends)(const int64_t *keys)
{
    uint64_t ends = 0;
#if WITH_AVX512
    for (int i = 0; i < BLOCK; i += 8) {
        __m512i differing = _mm512_xor_si512(_mm512_loadu_si512(keys + i), _mm512_loadu_si512(keys + i + 1));
        __mmask8 apart = _mm512_test_epi64_mask(differing, _mm512_set1_epi64(-((int64_t)1 << TOKEN_BITS)));
        ends |= (uint64_t)apart << i;
    }
#else
    for (int i = 0; i < BLOCK; i++) ends |= (uint64_t)((keys[i] ^ keys[i + 1]) >> TOKEN_BITS != 0) << i;
#endif
    return ends;
}
