#pragma once
#include <cstring>

#include "jobs.hpp"
#if defined(__x86_64__)
#include <cpuid.h>
#endif

namespace onefold {

extern const Level level_baseline;
#if defined(__x86_64__)
extern const Level level_avx2;
extern const Level level_avx512;
#endif

// The levels that this processor runs, best first; the last is the baseline (NEON on ARM64, SSE2 on x86-64).
inline size_t supportedLevels(const Level* (&levels)[3]) {
  size_t count = 0;
#if defined(__x86_64__)
  unsigned a, b, c = 0, d;
  const bool f16c = __get_cpuid(1, &a, &b, &c, &d) && (c & (1u << 29));
  const bool avx2 = f16c && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  const bool avx512 = avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
  if (avx512) levels[count++] = &level_avx512;
  if (avx2) levels[count++] = &level_avx2;
#endif
  levels[count++] = &level_baseline;
  return count;
}

// The named level, or the best where `name` is null; null when this processor does not run it.
inline const Level* chooseLevel(const char* name) {
  const Level* levels[3];
  const size_t count = supportedLevels(levels);
  if (!name) return levels[0];
  for (size_t i = 0; i < count; ++i) if (std::strcmp(levels[i]->name, name) == 0) return levels[i];
  return nullptr;
}

}  // namespace onefold
