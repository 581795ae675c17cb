// The peer that the kernels are held against: one loop over random rows with a prefetch, no checks, no grouping of equal
// rows, no order of sums (two threads may even race for a row). Arguments: rows, width, entries, threads. Each line on
// standard input is a number of steps; the answer is the mean seconds of a lookup and of an update.
#include <sys/mman.h>

#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

namespace {

constexpr size_t AHEAD = 12;

float* allocate(size_t floats) {
  const size_t huge = size_t{2} << 20, bytes = (floats * sizeof(float) + huge - 1) / huge * huge;
  void* memory = std::aligned_alloc(huge, bytes);
  madvise(memory, bytes, MADV_HUGEPAGE);
  std::memset(memory, 0, bytes);
  return static_cast<float*>(memory);
}

double now() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

template <int WIDTH>
void lookup(const float* table, const int32_t* ids, size_t entries, float* out, int threads) {
#pragma omp parallel for schedule(dynamic, 4096) num_threads(threads)
  for (size_t i = 0; i < entries; ++i) {
    if (i + AHEAD < entries) {
      const float* ahead = table + size_t(ids[i + AHEAD]) * WIDTH;
      for (int d = 0; d < WIDTH; d += 16) __builtin_prefetch(ahead + d);
    }
    const float* from = table + size_t(ids[i]) * WIDTH;
    for (int d = 0; d < WIDTH; ++d) out[i * WIDTH + d] = from[d];
  }
}

template <int WIDTH>
void update(float* table, float* accumulators, const int32_t* ids, size_t entries, const float* gradient, int threads) {
#pragma omp parallel for schedule(dynamic, 4096) num_threads(threads)
  for (size_t i = 0; i < entries; ++i) {
    if (i + AHEAD < entries) {
      const float* ahead = table + size_t(ids[i + AHEAD]) * WIDTH;
      for (int d = 0; d < WIDTH; d += 16) __builtin_prefetch(ahead + d);
      __builtin_prefetch(accumulators + ids[i + AHEAD]);
    }
    const float* g = gradient + i * WIDTH;
    float squares = 0;
    for (int d = 0; d < WIDTH; ++d) squares += g[d] * g[d];
    const float sum = accumulators[ids[i]] += squares / WIDTH;
    const float rate = 0.05f / (std::sqrt(sum) + 1e-8f);
    float* row = table + size_t(ids[i]) * WIDTH;
    for (int d = 0; d < WIDTH; ++d) row[d] -= rate * g[d];
  }
}

}  // namespace

int main(int, char** arguments) {
  const size_t rows = std::strtoull(arguments[1], nullptr, 10), entries = std::strtoull(arguments[3], nullptr, 10);
  constexpr int WIDTH = 32;
  if (std::atoi(arguments[2]) != WIDTH) return 1;
  const int threads = std::atoi(arguments[4]);
  float* const table = allocate(rows * WIDTH);
  float* const accumulators = allocate(rows);
  // Ordinary memory, as the buffers that ours are given.
  std::vector<float> out(entries * WIDTH), gradient(entries * WIDTH);
  for (size_t i = 0; i < gradient.size(); ++i) gradient[i] = float(int(i % 17) - 8) * 1e-3f;
  std::vector<int32_t> ids(entries);
  uint64_t state = 88172645463325252ull;
  std::puts("{\"name\": \"plain C++ loop\"}");
  std::fflush(stdout);
  char line[64];
  while (std::fgets(line, sizeof line, stdin)) {
    const int steps = std::atoi(line);
    double lookups = 0, updates = 0;
    for (int step = 0; step < steps; ++step) {
      for (auto& id : ids) {
        state ^= state << 13, state ^= state >> 7, state ^= state << 17;
        id = int32_t((state >> 32) * rows >> 32);
      }
      const double start = now();
      lookup<WIDTH>(table, ids.data(), entries, out.data(), threads);
      const double middle = now();
      update<WIDTH>(table, accumulators, ids.data(), entries, gradient.data(), threads);
      updates += now() - middle;
      lookups += middle - start;
    }
    std::printf("{\"lookup\": %.9f, \"update\": %.9f}\n", lookups / steps, updates / steps);
    std::fflush(stdout);
  }
}
