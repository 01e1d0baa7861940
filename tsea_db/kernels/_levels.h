/* One copy of a kernel for each instruction set. Define KERNEL as the name of a file and include this one: the file is
   compiled once for each level, with

   FN(name)      the name of the copy's functions and types,
   TARGET        the attribute that lets a function use the level's instructions,
   WITH_AVX2, WITH_AVX512, WITH_NEON    whether it may.

   No level changes a result: what a level may choose is how many lanes do the same operations side by side. */

#include "_native.h"

#define FN(name) name##_plain
#define TARGET
#define WITH_AVX2 0
#define WITH_AVX512 0
#ifdef ARM_NEON
#define WITH_NEON 1
#else
#define WITH_NEON 0
#endif
#include KERNEL
#undef FN
#undef TARGET
#undef WITH_AVX2
#undef WITH_NEON

#ifdef X86_DISPATCH
#define WITH_NEON 0
#define FN(name) name##_avx2
#define TARGET __attribute__((target("avx2,fma,bmi,bmi2,popcnt")))
#define WITH_AVX2 1
#include KERNEL
#undef FN
#undef TARGET
#undef WITH_AVX2
#undef WITH_AVX512

#define FN(name) name##_avx512
#define TARGET __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,fma,bmi,bmi2,popcnt")))
#define WITH_AVX2 0
#define WITH_AVX512 1
#include KERNEL
#undef FN
#undef TARGET
#undef WITH_AVX2
#undef WITH_NEON
#endif

#undef WITH_AVX512
#undef KERNEL
