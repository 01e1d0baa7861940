/* The parts whose speed depends on the instruction set. _walk.c includes this file once for each:
   FN(name) names the copy, TARGET is its function attribute, WITH_AVX512 says whether it may use AVX-512. */

#if WITH_AVX512
#define LARGER_MAGNITUDE 0xB /* for _mm512_range_ps */
typedef __m512i FN(row);
#define CARRY(a, b, c) _mm512_ternarylogic_epi64(a, b, c, 0xE8)
#define PARITY(a, b, c) _mm512_ternarylogic_epi64(a, b, c, 0x96)
#define LOAD_ROW(p) _mm512_loadu_si512(p)
#define STORE_ROW(p, v) _mm512_storeu_si512(p, v)
#define NO_BITS _mm512_setzero_si512()
#else
typedef struct {
    uint64_t word[ROW_WORDS];
} FN(row);
static TARGET inline FN(row) FN(carry)(FN(row) a, FN(row) b, FN(row) c)
{
    for (int w = 0; w < ROW_WORDS; w++) a.word[w] = (a.word[w] & b.word[w]) | ((a.word[w] | b.word[w]) & c.word[w]);
    return a;
}
static TARGET inline FN(row) FN(parity)(FN(row) a, FN(row) b, FN(row) c)
{
    for (int w = 0; w < ROW_WORDS; w++) a.word[w] ^= b.word[w] ^ c.word[w];
    return a;
}
#define CARRY FN(carry)
#define PARITY FN(parity)
#define LOAD_ROW(p) (*(const FN(row) *)(p))
#define STORE_ROW(p, v) (*(FN(row) *)(p) = (v))
#define NO_BITS ((FN(row)){{0}})
#endif

/* Three rows of weight 1 become one of weight 1 (in `ones`) and one of weight 2 (in `twos`). */
#define ADD3(twos, ones, a, b) do { \
        FN(row) a_ = (a), b_ = (b); \
        (twos) = CARRY(ones, a_, b_); \
        (ones) = PARITY(ones, a_, b_); \
    } while (0)

/* Image of each logit weight, an integer that falls as the weight rises, and its bucket: equal steps of logit weight,
   highest first, over a few standard deviations. Adding 0 makes -0.0 the same as +0.0. Each operation on the way to the
   bucket is monotone in the weight, so buckets are in order and equal weights share one. */
static TARGET void FN(assign_buckets)(
    const float *weights, int64_t n, float top, float step, float last, uint32_t *images, int32_t *buckets)
{
    for (int64_t i = 0; i < n; i++) {
        float weight = weights[i] + 0.0f, place = (top - weight) * step;
        int32_t bits;
        memcpy(&bits, &weight, sizeof bits);
        images[i] = (uint32_t)(bits ^ (~(bits >> 31) & 0x7FFFFFFF));
        place = place > 0.0f ? place : 0.0f;
        place = place < last ? place : last;
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

/* Sum 64 rows of bits: plane p holds binary digit p of each set's number of hits (Harley and Seal's adder tree). */
static TARGET void FN(count_block)(const uint32_t *row_ids, const uint64_t *rows, uint64_t *planes)
{
#define ROW(i) LOAD_ROW(rows + (uint64_t)ROW_WORDS * row_ids[i])
    FN(row) ones = NO_BITS, twos = NO_BITS, fours = NO_BITS, eights = NO_BITS, sixteens = NO_BITS;
    FN(row) thirtytwos = NO_BITS, sixtyfours, thirtytwo[2];
    for (int half = 0; half < 2; half++) {
        FN(row) sixteen[2];
        for (int quarter = 0; quarter < 2; quarter++, row_ids += 16) {
            FN(row) two_a, two_b, four_a, four_b, eight_a, eight_b;
            ADD3(two_a, ones, ROW(0), ROW(1));
            ADD3(two_b, ones, ROW(2), ROW(3));
            ADD3(four_a, twos, two_a, two_b);
            ADD3(two_a, ones, ROW(4), ROW(5));
            ADD3(two_b, ones, ROW(6), ROW(7));
            ADD3(four_b, twos, two_a, two_b);
            ADD3(eight_a, fours, four_a, four_b);
            ADD3(two_a, ones, ROW(8), ROW(9));
            ADD3(two_b, ones, ROW(10), ROW(11));
            ADD3(four_a, twos, two_a, two_b);
            ADD3(two_a, ones, ROW(12), ROW(13));
            ADD3(two_b, ones, ROW(14), ROW(15));
            ADD3(four_b, twos, two_a, two_b);
            ADD3(eight_b, fours, four_a, four_b);
            ADD3(sixteen[quarter], eights, eight_a, eight_b);
        }
        ADD3(thirtytwo[half], sixteens, sixteen[0], sixteen[1]);
    }
    ADD3(sixtyfours, thirtytwos, thirtytwo[0], thirtytwo[1]);
    STORE_ROW(planes, ones);
    STORE_ROW(planes + ROW_WORDS, twos);
    STORE_ROW(planes + 2 * ROW_WORDS, fours);
    STORE_ROW(planes + 3 * ROW_WORDS, eights);
    STORE_ROW(planes + 4 * ROW_WORDS, sixteens);
    STORE_ROW(planes + 5 * ROW_WORDS, thirtytwos);
    STORE_ROW(planes + 6 * ROW_WORDS, sixtyfours);
#undef ROW
}

/* Turn the binary digits of 64 counts into bytes. `planes` points at the sets' word in the first plane. */
static TARGET void FN(spread_counts)(const uint64_t *planes, uint8_t *counts)
{
#if WITH_AVX512
    __m512i sum = _mm512_setzero_si512();
    for (int p = 0; p < PLANES; p++)
        sum = _mm512_mask_add_epi8(sum, planes[p * ROW_WORDS], sum, _mm512_set1_epi8((char)(1 << p)));
    _mm512_storeu_si512(counts, sum);
#else
    for (int byte = 0; byte < 8; byte++) {
        uint64_t sum = 0;
        for (int p = 0; p < PLANES; p++) sum += bits_to_bytes(planes[p * ROW_WORDS] >> (8 * byte)) << p;
        memcpy(counts + 8 * byte, &sum, 8);
    }
#endif
}

/* Follow 64 sums from block end to block end; the threshold becomes the largest magnitude at an end of a tie group. */
static TARGET void FN(bound_scores)(
    const uint8_t *counts, const uint64_t *group_ends, int64_t n_blocks, int64_t n_tokens, lane_bounds *lanes)
{
#if WITH_AVX512
    for (int lane = 0; lane < WORD_SETS; lane += 32) {
        __m512 rise[2], fall[2], hits[2], largest[2];
        for (int v = 0; v < 2; v++) {
            rise[v] = _mm512_loadu_ps(lanes->rise + lane + 16 * v);
            fall[v] = _mm512_loadu_ps(lanes->fall + lane + 16 * v);
            hits[v] = largest[v] = _mm512_setzero_ps();
        }
        for (int64_t block = 0; block < n_blocks; block++) {
            __m512 end = _mm512_set1_ps((float)(block + 1 < n_blocks ? BLOCK * (block + 1) : n_tokens));
            for (int v = 0; v < 2; v++) {
                __m128i added = _mm_loadu_si128((const void *)(counts + WORD_SETS * block + lane + 16 * v));
                hits[v] = _mm512_add_ps(hits[v], _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(added)));
            }
            if (!(group_ends[block] >> (BLOCK - 1))) continue;
            for (int v = 0; v < 2; v++) {
                __m512 sum = _mm512_fmsub_ps(hits[v], rise[v], _mm512_mul_ps(end, fall[v]));
                largest[v] = _mm512_range_ps(largest[v], sum, LARGER_MAGNITUDE);
            }
        }
        for (int v = 0; v < 2; v++) _mm512_storeu_ps(lanes->threshold + lane + 16 * v, largest[v]);
    }
#else
    float hits[WORD_SETS] = {0}, largest[WORD_SETS] = {0};
    for (int64_t block = 0; block < n_blocks; block++) {
        const uint8_t *added = counts + WORD_SETS * block;
        float end = (float)(block + 1 < n_blocks ? BLOCK * (block + 1) : n_tokens);
        float weight = (float)(group_ends[block] >> (BLOCK - 1)); /* 0 where the block ends inside a tie group */
        for (int lane = 0; lane < WORD_SETS; lane++) {
            hits[lane] += (float)added[lane];
            float size = fabsf(hits[lane] * lanes->rise[lane] - end * lanes->fall[lane]) * weight;
            largest[lane] = size > largest[lane] ? size : largest[lane];
        }
    }
    memcpy(lanes->threshold, largest, sizeof largest);
#endif
}

/* List the blocks in which one of 64 sums may reach its threshold: all hits first, or all misses first. */
static TARGET int64_t FN(find_candidates)(
    const uint8_t *counts, int64_t n_blocks, int64_t n_tokens, lane_bounds *lanes, candidate *found)
{
    int64_t n_found = 0;
    for (int lane = 0; lane < WORD_SETS; lane += 16) {
        const float *rise = lanes->rise + lane, *fall = lanes->fall + lane, *gain = lanes->gain + lane;
        const float *threshold = lanes->threshold + lane;
        float before[16] = {0}, reached[16];
#if WITH_AVX512
        __m512 to_rise = _mm512_loadu_ps(rise), to_fall = _mm512_loadu_ps(fall), to_gain = _mm512_loadu_ps(gain);
        __m512 limit = _mm512_loadu_ps(threshold), hits = _mm512_setzero_ps();
        __m512 fallen = _mm512_setzero_ps();
        for (int64_t block = 0; block < n_blocks; block++) {
            __m128i bytes = _mm_loadu_si128((const void *)(counts + WORD_SETS * block + lane));
            __m512 added = _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(bytes));
            float end = (float)(block + 1 < n_blocks ? BLOCK * (block + 1) : n_tokens);
            __m512 all_hits = _mm512_fmadd_ps(added, to_gain, _mm512_fmsub_ps(hits, to_rise, fallen));
            fallen = _mm512_mul_ps(_mm512_set1_ps(end), to_fall);
            __m512 all_misses = _mm512_fmadd_ps(added, to_fall, _mm512_fmsub_ps(hits, to_rise, fallen));
            __m512 reach = _mm512_range_ps(all_hits, all_misses, LARGER_MAGNITUDE);
            unsigned over = _mm512_cmp_ps_mask(reach, limit, _CMP_GE_OQ);
            if (over) {
                _mm512_storeu_ps(before, hits);
                _mm512_storeu_ps(reached, reach);
            }
            for (; over; over &= over - 1) {
                int i = __builtin_ctz(over);
                found[n_found++] = (candidate){(int32_t)block, lane + i, (int32_t)before[i], reached[i]};
            }
            hits = _mm512_add_ps(hits, added);
        }
#else
        for (int64_t block = 0; block < n_blocks; block++) {
            const uint8_t *added = counts + WORD_SETS * block + lane;
            float start = (float)(BLOCK * block), end = (float)(block + 1 < n_blocks ? BLOCK * (block + 1) : n_tokens);
            int n_over = 0;
            for (int i = 0; i < 16; i++) {
                float hits = (float)added[i], risen = before[i] * rise[i];
                float all_hits = risen - start * fall[i] + hits * gain[i];
                float all_misses = risen - end * fall[i] + hits * fall[i];
                reached[i] = all_hits > -all_misses ? all_hits : -all_misses;
                n_over += reached[i] >= threshold[i];
            }
            for (int i = 0; n_over && i < 16; i++)
                if (reached[i] >= threshold[i])
                    found[n_found++] = (candidate){(int32_t)block, lane + i, (int32_t)before[i], reached[i]};
            for (int i = 0; i < 16; i++) before[i] += (float)added[i];
        }
#endif
    }
    return n_found;
}

/* One bit a rank of a block: is its token in the set? `column` holds the set's byte of every row. */
static TARGET uint64_t FN(members_in_block)(const uint32_t *row_ids, const uint8_t *column, int32_t bit)
{
    uint8_t bytes[BLOCK];
    for (int i = 0; i < BLOCK; i++) bytes[i] = column[row_ids[i]];
#if WITH_AVX512
    return _mm512_test_epi8_mask(_mm512_loadu_si512(bytes), _mm512_set1_epi8((char)(1 << bit)));
#else
    uint64_t members = 0;
    for (int i = 0; i < BLOCK; i++) members |= (uint64_t)((bytes[i] >> bit) & 1) << i;
    return members;
#endif
}

#undef CARRY
#undef PARITY
#undef LOAD_ROW
#undef STORE_ROW
#undef NO_BITS
#undef ADD3
