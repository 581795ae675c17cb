// Row optimizers for one SIMD level: see RowOptimizer in src/kernels/embedding-kernel.ts.
#pragma once
#include "jobs.hpp"
#include "simd.hpp"

namespace {
using namespace onefold;

// Sum i of sixteen is added to sum i + 8, then to i + 4, i + 2 and i + 1, at every level: the order of a sum may not depend
// on the machine.
inline float sumOfSixteen(const Vec* sums) {
#if defined(__AVX512F__)
  const __m256 eight = _mm512_castps512_ps256((__m512)sums[0]) + _mm512_extractf32x8_ps((__m512)sums[0], 1);
  const __m128 four = _mm256_castps256_ps128(eight) + _mm256_extractf128_ps(eight, 1);
#elif defined(__AVX2__)
  const __m256 eight = (__m256)(sums[0] + sums[1]);
  const __m128 four = _mm256_castps256_ps128(eight) + _mm256_extractf128_ps(eight, 1);
#else
  const Vec four = (sums[0] + sums[2]) + (sums[1] + sums[3]);
#endif
  return (four[0] + four[2]) + (four[1] + four[3]);
}

// Sum of (g + l2·w)² over a row: element d to running sum d mod 16.
template <uint32_t WIDTH, bool L2>
inline float squares(const float* gradient, const float* weights, float l2, uint32_t anyWidth) {
  const uint32_t width = WIDTH ? WIDTH : anyWidth;
  Vec sums[16 / LANES];
  for (auto& sum : sums) sum = Vec{};
  uint32_t d = 0;
  for (; d + 16 <= width; d += 16) {
    for (uint32_t i = 0; i < 16 / LANES; ++i) {
      Vec g = load(gradient + d + i * LANES);
      if (L2) g = g + load(weights + d + i * LANES) * l2;
      sums[i] = sums[i] + g * g;
    }
  }
  if (d < width) {
    float tail[16] = {};
    for (uint32_t i = 0; i < 15 && d < width; ++i, ++d) {
      float g = gradient[d];
      if (L2) g += weights[d] * l2;
      tail[i] = g * g;
    }
    for (uint32_t i = 0; i < 16 / LANES; ++i) sums[i] = sums[i] + load(tail + i * LANES);
  }
  return sumOfSixteen(sums);
}

template <uint32_t WIDTH>
inline void prefetchFloats(const float* rows, uint64_t row, uint32_t anyWidth) {
  const uint32_t width = WIDTH ? WIDTH : anyWidth;
  prefetchBytes(rows + row * width, (size_t)width * 4);
}

template <uint32_t WIDTH>
struct Adagrad {
  static inline void prefetch(const TrainedRows& table, uint64_t row) {
    prefetchFloats<WIDTH>(table.weights, row, table.width);
    __builtin_prefetch(table.first + row, 0, 2);
  }
  static inline void step(const TrainedRows& table, const Optimizer& o, uint64_t row, const float* gradient) {
    const uint32_t width = WIDTH ? WIDTH : table.width;
    float* const weights = table.weights + row * width;
    const float sum = o.l2 ? squares<WIDTH, true>(gradient, weights, o.weightDecay, width) : squares<WIDTH, false>(gradient, weights, 0, width);
    const float accumulated = table.first[row] + sum / (float)width;
    table.first[row] = accumulated;
    const float multiplier = o.learningRate / (__builtin_sqrtf(accumulated) + o.epsilon);
    const float correction = 1.0f - (o.l2 ? multiplier : o.learningRate) * o.weightDecay;
    uint32_t d = 0;
    for (; d + LANES <= width; d += LANES) store(weights + d, load(weights + d) * correction - load(gradient + d) * multiplier);
    for (; d < width; ++d) {
      const float kept = weights[d] * correction;
      weights[d] = kept - gradient[d] * multiplier;
    }
  }
};

template <uint32_t WIDTH>
struct Adam {
  static inline void prefetch(const TrainedRows& table, uint64_t row) {
    prefetchFloats<WIDTH>(table.weights, row, table.width);
    prefetchFloats<WIDTH>(table.first, row, table.width);
    prefetchFloats<WIDTH>(table.second, row, table.width);
  }
  static inline void step(const TrainedRows& table, const Optimizer& o, uint64_t row, const float* gradient) {
    const uint32_t width = WIDTH ? WIDTH : table.width;
    float* const weights = table.weights + row * width;
    float* const first = table.first + row * width;
    float* const second = table.second + row * width;
    uint32_t d = 0;
    for (; d + LANES <= width; d += LANES) {
      const Vec g = load(gradient + d);
      const Vec m = load(first + d) * o.beta1 + g * o.rest1;
      const Vec v = load(second + d) * o.beta2 + g * g * o.rest2;
      store(first + d, m);
      store(second + d, v);
      store(weights + d, load(weights + d) * o.kept - m * o.rate / (squareRoot(v) * o.rootScale + o.epsilon));
    }
    for (; d < width; ++d) {
      const float g = gradient[d];
      const float m = first[d] * o.beta1 + g * o.rest1;
      const float v = second[d] * o.beta2 + g * g * o.rest2;
      first[d] = m;
      second[d] = v;
      weights[d] = weights[d] * o.kept - m * o.rate / (__builtin_sqrtf(v) * o.rootScale + o.epsilon);
    }
  }
};

template <uint32_t WIDTH>
struct Sgd {
  static inline void prefetch(const TrainedRows& table, uint64_t row) {
    prefetchFloats<WIDTH>(table.weights, row, table.width);
  }
  static inline void step(const TrainedRows& table, const Optimizer& o, uint64_t row, const float* gradient) {
    const uint32_t width = WIDTH ? WIDTH : table.width;
    float* const weights = table.weights + row * width;
    uint32_t d = 0;
    for (; d + LANES <= width; d += LANES) store(weights + d, load(weights + d) * o.kept - load(gradient + d) * o.learningRate);
    for (; d < width; ++d) weights[d] = weights[d] * o.kept - gradient[d] * o.learningRate;
  }
};

inline float shareOf(const Slot& slot, uint32_t row) {
  return slot.pooling == Pooling::mean ? 1.0f / (float)(slot.offsets[row + 1] - slot.offsets[row]) : 1.0f;
}

// sum += what entry `position` of a slot gets of its row's gradient
inline void addEntry(const Block& block, const Slot& slot, uint32_t position, float* sum, uint32_t width) {
  const uint32_t row = slot.owners ? slot.owners[position] : position;
  const float* const gradient = block.gradient + (size_t)row * block.stride + slot.offset;
  if (slot.pooling == Pooling::max) {
    const uint32_t* const winners = slot.winners + (size_t)row * width;
    for (uint32_t d = 0; d < width; ++d) if (winners[d] == position) sum[d] += gradient[d];
    return;
  }
  const float share = shareOf(slot, row);
  uint32_t d = 0;
  for (; d + LANES <= width; d += LANES) store(sum + d, load(sum + d) + load(gradient + d) * share);
  for (; d < width; ++d) {
    const float part = gradient[d] * share;
    sum[d] += part;
  }
}

// Entries of a slot's lists that are fetched ahead.
constexpr uint32_t UPDATE_AHEAD = 12;

// A lone entry whose row is being fetched.
struct PendingUpdate {
  uint64_t row;
  const float* gradient;
};

// Row by row, so that the gradient is read from front to back, and through a ring as lookups; rows of a table may be updated
// in any order.
template <class Step>
void updateLoneSingles(const TrainedRows& table, const Optimizer& optimizer, const Block& block, uint32_t firstRow, uint32_t endRow) {
  PendingUpdate ring[RING];
  uint32_t joined = 0;
  for (uint32_t row = firstRow; row < endRow; ++row) {
    const float* const gradient = block.gradient + (size_t)row * block.stride;
    for (uint32_t s = 0; s < block.slotCount; ++s) {
      const Slot& slot = block.slots[s];
      if (slot.offsets || !slot.lone[row]) continue;
      const uint64_t tableRow = slot.base + (uint32_t)slot.ids[row];
      Step::prefetch(table, tableRow);
      PendingUpdate& place = ring[joined % RING];
      if (joined >= RING) Step::step(table, optimizer, place.row, place.gradient);
      place = {tableRow, gradient + slot.offset};
      ++joined;
    }
  }
  for (uint32_t i = joined < RING ? 0 : joined - RING; i < joined; ++i) Step::step(table, optimizer, ring[i % RING].row, ring[i % RING].gradient);
}

// Entries of a list get a share of their row's gradient; those of a slot follow each other over the rows.
template <class Step>
void updateLoneList(const TrainedRows& table, const Optimizer& optimizer, const Block& block, const Slot& slot, uint32_t firstRow,
                    uint32_t endRow, float* scratch) {
  const int32_t* const ids = slot.ids + slot.offsets[0];
  const uint32_t first = (uint32_t)(slot.offsets[firstRow] - slot.offsets[0]), end = (uint32_t)(slot.offsets[endRow] - slot.offsets[0]);
  for (uint32_t i = first; i < end; ++i) {
    if (end - i > UPDATE_AHEAD && slot.lone[i + UPDATE_AHEAD]) Step::prefetch(table, slot.base + (uint32_t)ids[i + UPDATE_AHEAD]);
    if (!slot.lone[i]) continue;
    const float* gradient = block.gradient + (size_t)slot.owners[i] * block.stride + slot.offset;
    if (slot.pooling != Pooling::sum) {
      for (uint32_t d = 0; d < table.width; ++d) scratch[d] = 0.0f;
      addEntry(block, slot, i, scratch, table.width);
      gradient = scratch;
    }
    Step::step(table, optimizer, slot.base + (uint32_t)ids[i], gradient);
  }
}

template <class Step>
void updateLoneRows(const TrainedRows& table, const Optimizer& optimizer, const Block& block, uint32_t firstRow, uint32_t endRow, float* scratch) {
  updateLoneSingles<Step>(table, optimizer, block, firstRow, endRow);
  for (uint32_t s = 0; s < block.slotCount; ++s) {
    if (block.slots[s].offsets) updateLoneList<Step>(table, optimizer, block, block.slots[s], firstRow, endRow, scratch);
  }
}

constexpr uint32_t LINKS_AHEAD = 4;

inline void prefetchGradient(const Block* blocks, const Link& link, uint32_t width) {
  const Block& block = blocks[link.block];
  const Slot& slot = block.slots[link.slot];
  const uint32_t row = slot.owners ? slot.owners[link.position] : link.position;
  prefetchBytes(block.gradient + (size_t)row * block.stride + slot.offset, (size_t)width * 4);
}

template <class Step>
void updateGroupRows(const TrainedRows& table, const Optimizer& optimizer, const Block* blocks, const Group* groups, size_t groupCount,
                     const Link* links, float* scratch) {
  const uint32_t width = table.width;
  for (size_t g = 0; g < groupCount; ++g) {
    if (g + 4 < groupCount) Step::prefetch(table, groups[g + 4].row);
    for (uint32_t d = 0; d < width; ++d) scratch[d] = 0.0f;
    const Link* const own = links + groups[g].first;
    const uint32_t count = groups[g].count;
    for (uint32_t i = 0; i < count && i < LINKS_AHEAD; ++i) prefetchGradient(blocks, own[i], width);
    for (uint32_t i = 0; i < count; ++i) {
      if (i + LINKS_AHEAD < count) prefetchGradient(blocks, own[i + LINKS_AHEAD], width);
      addEntry(blocks[own[i].block], blocks[own[i].block].slots[own[i].slot], own[i].position, scratch, width);
    }
    Step::step(table, optimizer, groups[g].row, scratch);
  }
}

template <template <uint32_t> class Step, class Visit>
inline void withWidth(uint32_t width, Visit visit) {
  switch (width) {
    case 8: return visit(Step<8>());
    case 16: return visit(Step<16>());
    case 32: return visit(Step<32>());
    case 64: return visit(Step<64>());
    default: return visit(Step<0>());
  }
}

template <class Visit>
inline void withStep(OptimizerType type, uint32_t width, Visit visit) {
  switch (type) {
    case OptimizerType::adagrad: return withWidth<Adagrad>(width, visit);
    case OptimizerType::adam: return withWidth<Adam>(width, visit);
    case OptimizerType::sgd: return withWidth<Sgd>(width, visit);
    case OptimizerType::none: return;
  }
}

void updateLone(const TrainedRows& table, const Optimizer& optimizer, const Block& block, uint32_t firstRow, uint32_t endRow, float* scratch) {
  withStep(optimizer.type, table.width, [&](auto step) { updateLoneRows<decltype(step)>(table, optimizer, block, firstRow, endRow, scratch); });
}

void updateGroups(const TrainedRows& table, const Optimizer& optimizer, const Block* blocks, const Group* groups, size_t groupCount,
                  const Link* links, float* scratch) {
  withStep(optimizer.type, table.width,
           [&](auto step) { updateGroupRows<decltype(step)>(table, optimizer, blocks, groups, groupCount, links, scratch); });
}

// The first largest entry of each list and dimension: see EmbeddingTable.update.
void findWinners(const TrainedRows& table, const Slot& slot, uint32_t firstRow, uint32_t endRow, uint32_t* winners) {
  const uint32_t width = table.width;
  const int32_t origin = slot.offsets[0];
  for (uint32_t row = firstRow; row < endRow; ++row) {
    const int32_t first = slot.offsets[row], end = slot.offsets[row + 1];
    uint32_t* const to = winners + (size_t)row * width;
    if (first == end) continue;
    for (uint32_t d = 0; d < width; ++d) {
      int32_t best = first;
      float largest = table.weights[(slot.base + (uint32_t)slot.ids[first]) * width + d];
      for (int32_t i = first + 1; i < end; ++i) {
        const float weight = table.weights[(slot.base + (uint32_t)slot.ids[i]) * width + d];
        if (weight > largest) {
          largest = weight;
          best = i;
        }
      }
      to[d] = (uint32_t)(best - origin);
    }
  }
}

}  // namespace
