/* What all parts of the C library share. */

#ifndef TSEA_NATIVE_H
#define TSEA_NATIVE_H

#include <stdint.h>

#if defined(__x86_64__) && defined(__GNUC__)
#include <immintrin.h>
#define X86_DISPATCH 1
#elif defined(__aarch64__) && defined(__GNUC__)
#include <arm_neon.h>
#define ARM_NEON 1
#endif

#if defined(_WIN32)
#define EXPORT __declspec(dllexport)
#else
#define EXPORT __attribute__((visibility("default")))
#endif

/* Levels of instructions; mirrors tsea_db.kernels.native.Instructions. */
enum { LEVEL_PLAIN, LEVEL_AVX2, LEVEL_AVX512 };

/* The processor's level, or `most` if that is lower. */
int32_t instruction_level(int32_t most);

#endif
