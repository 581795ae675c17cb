// Row optimizers for one SIMD level: see RowOptimizer in src/kernels/embedding-kernel.ts.
#pragma once
#include "jobs.hpp"
#include "simd.hpp"

namespace {
using namespace onefold;

// Sixteen running sums, element d to sum d mod 16, at every level: the order of a sum may not depend on the machine.
struct SixteenSums {
  Vec sums[16 / LANES];
  float tail[16];
  bool any = false;
  SixteenSums() {
    for (auto& sum : sums) sum = Vec{};
  }
  float total() {
    float lanes[16];
    for (uint32_t i = 0; i < 16 / LANES; ++i) store(lanes + i * LANES, sums[i]);
    if (any) for (uint32_t i = 0; i < 16; ++i) lanes[i] += tail[i];
    for (uint32_t half = 8; half > 0; half /= 2) for (uint32_t i = 0; i < half; ++i) lanes[i] += lanes[i + half];
    return lanes[0];
  }
};

// Sum of (g + l2·w)² over a row. Elements past the last whole sixteen are added to the running sums one by one.
template <uint32_t WIDTH, bool L2>
inline float squares(const float* gradient, const float* weights, float l2, uint32_t anyWidth) {
  const uint32_t width = WIDTH ? WIDTH : anyWidth;
  SixteenSums sums;
  uint32_t d = 0;
  for (; d + 16 <= width; d += 16) {
    for (uint32_t i = 0; i < 16 / LANES; ++i) {
      Vec g = load(gradient + d + i * LANES);
      if (L2) g = g + load(weights + d + i * LANES) * l2;
      sums.sums[i] = sums.sums[i] + g * g;
    }
  }
  if (d < width) {
    sums.any = true;
    for (uint32_t i = 0; i < 16; ++i) sums.tail[i] = 0.0f;
    for (uint32_t i = 0; i < 15 && d < width; ++i, ++d) {
      float g = gradient[d];
      if (L2) g += weights[d] * l2;
      sums.tail[i] = g * g;
    }
  }
  return sums.total();
}

template <uint32_t WIDTH>
struct Adagrad {
  static inline void prefetch(const TrainedRows& table, uint64_t row) {
    prefetchForWriting(table.weights + row * table.width, table.width * 4);
    __builtin_prefetch(table.first + row, 1, 3);
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
    prefetchForWriting(table.weights + row * table.width, table.width * 4);
    prefetchForWriting(table.first + row * table.width, table.width * 4);
    prefetchForWriting(table.second + row * table.width, table.width * 4);
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
    prefetchForWriting(table.weights + row * table.width, table.width * 4);
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

// Rows that one slot updates before the next slot's turn, and entries that are fetched ahead.
constexpr uint32_t UPDATE_TILE = 64;
constexpr uint32_t UPDATE_AHEAD = 12;

template <class Step>
void updateLoneRows(const TrainedRows& table, const Optimizer& optimizer, const Block& block, uint32_t firstRow, uint32_t endRow, float* scratch) {
  const uint32_t width = table.width;
  for (uint32_t tile = firstRow; tile < endRow; tile += UPDATE_TILE) {
    const uint32_t end = tile + UPDATE_TILE < endRow ? tile + UPDATE_TILE : endRow;
    for (uint32_t s = 0; s < block.slotCount; ++s) {
      const Slot& slot = block.slots[s];
      const int32_t* const ids = slot.ids + (slot.offsets ? slot.offsets[0] : 0);
      const uint32_t first = slot.offsets ? (uint32_t)(slot.offsets[tile] - slot.offsets[0]) : tile;
      const uint32_t last = slot.offsets ? (uint32_t)(slot.offsets[end] - slot.offsets[0]) : end;
      for (uint32_t i = first; i < last && i < first + UPDATE_AHEAD; ++i) {
        if (slot.lone[i]) Step::prefetch(table, slot.base + (uint32_t)ids[i]);
      }
      for (uint32_t i = first; i < last; ++i) {
        if (i + UPDATE_AHEAD < last && slot.lone[i + UPDATE_AHEAD]) Step::prefetch(table, slot.base + (uint32_t)ids[i + UPDATE_AHEAD]);
        if (!slot.lone[i]) continue;
        const float* gradient = block.gradient + (size_t)(slot.owners ? slot.owners[i] : i) * block.stride + slot.offset;
        if (slot.owners && slot.pooling != Pooling::sum) {
          for (uint32_t d = 0; d < width; ++d) scratch[d] = 0.0f;
          addEntry(block, slot, i, scratch, width);
          gradient = scratch;
        }
        Step::step(table, optimizer, slot.base + (uint32_t)ids[i], gradient);
      }
    }
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
