/* The parts of the walk whose speed depends on the instruction set; _walk.c says how they fit together. */

#if WITH_AVX512
#define LARGER_MAGNITUDE 0xB /* for _mm512_range_ps */
typedef __m256i FN(row);
#define CARRY(a, b, c) _mm256_ternarylogic_epi64(a, b, c, 0xE8)
#define PARITY(a, b, c) _mm256_ternarylogic_epi64(a, b, c, 0x96)
#define LOAD_ROW(p) _mm256_load_si256((const void *)(p))
#define STORE_ROW(p, v) _mm256_storeu_si256((void *)(p), v)
#define NO_BITS _mm256_setzero_si256()
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
