/* The library as a whole: which sources it was built from, and which instructions this processor has. */

#include "_native.h"

#ifndef TSEA_SOURCES_HASH
#define TSEA_SOURCES_HASH "unknown"
#endif

int32_t instruction_level(int32_t most)
{
#ifdef X86_DISPATCH
    __builtin_cpu_init();
    if (most >= LEVEL_AVX512 && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
        __builtin_cpu_supports("avx512vl"))
        return LEVEL_AVX512;
    if (most >= LEVEL_AVX2 && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return LEVEL_AVX2;
#else
    (void)most;
#endif
    return LEVEL_PLAIN;
}

/* The level that a call asking for `most` uses. */
EXPORT int32_t tsea_instruction_level(int32_t most)
{
    return instruction_level(most);
}

/* SHA-256 of the sources, as tsea_db.kernels.native computes it. */
EXPORT const char *tsea_sources_hash(void)
{
    return TSEA_SOURCES_HASH;
}
