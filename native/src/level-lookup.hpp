// Fused lookup for one SIMD level: see EmbeddingTable.lookup in src/kernels/embedding-kernel.ts.
#pragma once
#include "jobs.hpp"
#include "simd.hpp"

namespace {
using namespace onefold;

// How rows of each precision are read: element d, and LANES elements from d. WIDTH 0: known only at run time.
struct Fp32Row {
  const float* from;
  explicit Fp32Row(const uint8_t* row, uint32_t) : from((const float*)row) {}
  Vec vec(uint32_t d) const { return load(from + d); }
  float one(uint32_t d) const { return from[d]; }
};

struct Fp16Row {
  const uint16_t* from;
  explicit Fp16Row(const uint8_t* row, uint32_t) : from((const uint16_t*)row) {}
  Vec vec(uint32_t d) const { return loadHalves(from + d); }
  float one(uint32_t d) const { return fromHalf(from[d]); }
};

struct Int8Row {
  const uint8_t* from;
  float scale, lowest;
  explicit Int8Row(const uint8_t* row, uint32_t width) : from(row) {
    __builtin_memcpy(&scale, row + width, 4);
    __builtin_memcpy(&lowest, row + width + 4, 4);
  }
  Vec vec(uint32_t d) const { return loadBytes(from + d) * scale + lowest; }
  float one(uint32_t d) const {
    const float scaled = (float)from[d] * scale;
    return scaled + lowest;
  }
};

template <class Row, uint32_t WIDTH>
inline void copyRow(const uint8_t* row, float* to, uint32_t anyWidth) {
  const uint32_t width = WIDTH ? WIDTH : anyWidth;
  const Row source(row, width);
  uint32_t d = 0;
  for (; d + LANES <= width; d += LANES) store(to + d, source.vec(d));
  for (; d < width; ++d) to[d] = source.one(d);
}

template <class Row, uint32_t WIDTH>
inline void addRow(const uint8_t* row, float* to, uint32_t anyWidth) {
  const uint32_t width = WIDTH ? WIDTH : anyWidth;
  const Row source(row, width);
  uint32_t d = 0;
  for (; d + LANES <= width; d += LANES) store(to + d, load(to + d) + source.vec(d));
  for (; d < width; ++d) to[d] += source.one(d);
}

template <class Row, uint32_t WIDTH>
inline void maxRow(const uint8_t* row, float* to, uint32_t anyWidth) {
  const uint32_t width = WIDTH ? WIDTH : anyWidth;
  const Row source(row, width);
  for (uint32_t d = 0; d < width; ++d) {
    const float weight = source.one(d);
    if (weight > to[d]) to[d] = weight;
  }
}

// Entries of a list are contiguous over rows, so a look ahead simply runs on.
constexpr int32_t LOOK_AHEAD = 16;

template <class Row, uint32_t WIDTH>
inline void lookupLists(const Rows& table, const Block& block, const Slot& slot, uint32_t firstRow, uint32_t endRow) {
  const uint32_t width = WIDTH ? WIDTH : table.width;
  const uint8_t* const base = table.data + slot.base * table.rowBytes;
  const int32_t last = slot.offsets[endRow];
  for (int32_t i = slot.offsets[firstRow]; i < last && i < slot.offsets[firstRow] + LOOK_AHEAD; ++i) {
    prefetchBytes(base + (size_t)(uint32_t)slot.ids[i] * table.rowBytes, table.rowBytes);
  }
  float* to = block.out + (size_t)firstRow * block.stride + slot.offset;
  for (uint32_t row = firstRow; row < endRow; ++row, to += block.stride) {
    const int32_t first = slot.offsets[row];
    const int32_t end = slot.offsets[row + 1];
    if (first == end) {
      for (uint32_t d = 0; d < width; ++d) to[d] = 0.0f;
      continue;
    }
    for (int32_t i = first; i < end; ++i) {
      if (i + LOOK_AHEAD < last) prefetchBytes(base + (size_t)(uint32_t)slot.ids[i + LOOK_AHEAD] * table.rowBytes, table.rowBytes);
      const uint8_t* const from = base + (size_t)(uint32_t)slot.ids[i] * table.rowBytes;
      if (i == first) copyRow<Row, WIDTH>(from, to, width);
      else if (slot.pooling == Pooling::max) maxRow<Row, WIDTH>(from, to, width);
      else addRow<Row, WIDTH>(from, to, width);
    }
    if (slot.pooling == Pooling::mean && end - first > 1) {
      const float share = 1.0f / (float)(end - first);
      for (uint32_t d = 0; d < width; ++d) to[d] *= share;
    }
  }
}

// Rows that one slot fills before the next slot's turn: their prefetches fit the line fill buffers and L1.
constexpr uint32_t TILE = 32;

inline void prefetchIds(const Rows& table, const Slot& slot, uint32_t row) {
  prefetchBytes(table.data + (slot.base + (uint32_t)slot.ids[row]) * table.rowBytes, table.rowBytes);
}

template <class Row, uint32_t WIDTH>
void lookupRows(const Rows& table, const Block& block, uint32_t firstRow, uint32_t endRow) {
  bool ready = false;
  for (uint32_t tile = firstRow; tile < endRow; tile += TILE) {
    const uint32_t end = tile + TILE < endRow ? tile + TILE : endRow;
    for (uint32_t s = 0; s < block.slotCount; ++s) {
      const Slot& slot = block.slots[s];
      if (slot.offsets) {
        lookupLists<Row, WIDTH>(table, block, slot, tile, end);
        ready = false;
        continue;
      }
      // While one slot's rows are copied, those that are copied next are fetched.
      if (!ready) for (uint32_t row = tile; row < end; ++row) prefetchIds(table, slot, row);
      const bool more = s + 1 < block.slotCount;
      const Slot& next = block.slots[more ? s + 1 : 0];
      const uint32_t start = more ? tile : end;
      const uint32_t stop = next.offsets ? start : (more ? end : (end + TILE < endRow ? end + TILE : endRow));
      ready = !next.offsets;
      const uint8_t* const base = table.data + slot.base * table.rowBytes;
      float* to = block.out + (size_t)tile * block.stride + slot.offset;
      uint32_t ahead = start;
      for (uint32_t row = tile; row < end; ++row, ++ahead, to += block.stride) {
        if (ahead < stop) prefetchIds(table, next, ahead);
        copyRow<Row, WIDTH>(base + (size_t)(uint32_t)slot.ids[row] * table.rowBytes, to, table.width);
      }
      for (; ahead < stop; ++ahead) prefetchIds(table, next, ahead);
    }
  }
}

template <class Row>
void lookupWidth(const Rows& table, const Block& block, uint32_t firstRow, uint32_t endRow) {
  switch (table.width) {
    case 8: return lookupRows<Row, 8>(table, block, firstRow, endRow);
    case 16: return lookupRows<Row, 16>(table, block, firstRow, endRow);
    case 32: return lookupRows<Row, 32>(table, block, firstRow, endRow);
    case 64: return lookupRows<Row, 64>(table, block, firstRow, endRow);
    default: return lookupRows<Row, 0>(table, block, firstRow, endRow);
  }
}

void lookup(const Rows& table, const Block& block, uint32_t firstRow, uint32_t endRow) {
  switch (table.precision) {
    case Precision::fp32: return lookupWidth<Fp32Row>(table, block, firstRow, endRow);
    case Precision::fp16: return lookupWidth<Fp16Row>(table, block, firstRow, endRow);
    case Precision::int8: return lookupWidth<Int8Row>(table, block, firstRow, endRow);
  }
}

bool idsInside(const int32_t* ids, size_t count, uint32_t rows) {
  // A maximum has no early exit, so it is vectorized; one unsigned comparison catches negative ids too.
  uint32_t largest = 0;
  for (size_t i = 0; i < count; ++i) {
    const uint32_t id = (uint32_t)ids[i];
    largest = id > largest ? id : largest;
  }
  return count == 0 || largest < rows;
}

}  // namespace
