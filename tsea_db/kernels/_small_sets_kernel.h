/* The extremes of one small set's running sum; _small_sets.c says how they are found. Members come in whole vectors, the
   last one repeated: a repetition is not counted, and no extreme minds it. */

/* For each member, count those whose tie group ends earlier, and those of its own tie group too. */
static TARGET inline void FN(count_members)(const int32_t *ends, int32_t k, int ties, int32_t *before, int32_t *through)
{
    for (int32_t first = 0; first < k; first += SMALL_LANES) {
#if WITH_AVX512
        const __m512i one = _mm512_set1_epi32(1);
        __m512i here = _mm512_load_si512(ends + first), less = _mm512_setzero_si512(), equal = one;
        for (int32_t j = 0; j < k; j++)
            less = _mm512_mask_add_epi32(less, _mm512_cmplt_epi32_mask(_mm512_set1_epi32(ends[j]), here), less, one);
        if (ties) {
            equal = _mm512_setzero_si512();
            for (int32_t j = 0; j < k; j++)
                equal = _mm512_mask_add_epi32(
                    equal, _mm512_cmpeq_epi32_mask(_mm512_set1_epi32(ends[j]), here), equal, one);
        }
        _mm512_store_si512(before + first, less);
        _mm512_store_si512(through + first, _mm512_add_epi32(less, equal));
#else
        int32_t less[SMALL_LANES] = {0}, equal[SMALL_LANES] = {0};
        for (int32_t j = 0; j < k; j++)
            for (int32_t i = 0; i < SMALL_LANES; i++) less[i] += ends[j] < ends[first + i];
        for (int32_t j = 0; j < k && ties; j++)
            for (int32_t i = 0; i < SMALL_LANES; i++) equal[i] += ends[j] == ends[first + i];
        for (int32_t i = 0; i < SMALL_LANES; i++) before[first + i] = less[i];
        for (int32_t i = 0; i < SMALL_LANES; i++) through[first + i] = less[i] + (ties ? equal[i] : 1);
#endif
    }
}

/* Highest sum just after a member's tie group and lowest just before one, with the ranks where they are reached: of the
   highest the first, of the lowest the last; for a complement, whose sum is the set's turned over, the reverse. */
static TARGET void FN(walk_small)(small_set set, const int32_t *starts, const int32_t *ends, int64_t *extremes)
{
    _Alignas(64) int32_t before[SMALL_SET], through[SMALL_SET];
    int32_t k = set.size, n = set.n_tokens, padded = (k + SMALL_LANES - 1) / SMALL_LANES * SMALL_LANES;
    int32_t highest = INT32_MIN, lowest = 0, first_end = INT32_MAX, first_start = INT32_MAX;
    int32_t direction = set.late ? -1 : 1; /* turns the last rank into the first */
    FN(count_members)(ends, k, set.ties, before, through);
    for (int32_t i = 0; i < padded; i++) {
        before[i] = before[i] * n - starts[i] * k;
        through[i] = through[i] * n - ends[i] * k;
        highest = through[i] > highest ? through[i] : highest;
        lowest = before[i] < lowest ? before[i] : lowest;
    }
    for (int32_t i = 0; i < padded; i++) {
        int32_t end = through[i] == highest ? direction * ends[i] : INT32_MAX;
        int32_t start = before[i] == lowest ? -direction * starts[i] : INT32_MAX;
        first_end = end < first_end ? end : first_end;
        first_start = start < first_start ? start : first_start;
    }
    extremes[0] = highest;
    extremes[1] = direction * first_end;
    extremes[2] = lowest;
    extremes[3] = -direction * first_start;
}
