// Fused lookup for one SIMD level: see EmbeddingTable.lookup in src/kernels/embedding-kernel.ts.
#pragma once
#include "jobs.hpp"
#include "simd.hpp"

namespace {
using namespace onefold;

// Where a row is whose bytes are all together.
struct WholeRow {
  using Place = const uint8_t*;
  static Place at(const Rows& table, uint64_t row) { return table.data + row * table.rowBytes; }
  static void prefetch(Place row, size_t bytes) { prefetchBytes(row, bytes); }
};

// How rows of each precision are read: element d, and LANES elements from d. WIDTH 0: known only at run time.
struct Fp32Row : WholeRow {
  static constexpr size_t bytes(size_t width) { return 4 * width; }
  const float* from;
  explicit Fp32Row(Place row, uint32_t) : from((const float*)row) {}
  Vec vec(uint32_t d) const { return load(from + d); }
  float one(uint32_t d) const { return from[d]; }
};

struct Fp16Row : WholeRow {
  static constexpr size_t bytes(size_t width) { return 2 * width; }
  const uint16_t* from;
  explicit Fp16Row(Place row, uint32_t) : from((const uint16_t*)row) {}
  Vec vec(uint32_t d) const { return loadHalves(from + d); }
  float one(uint32_t d) const { return fromHalf(from[d]); }
};

struct ScaledBytes {
  const uint8_t* from;
  float scale, lowest;
  Vec vec(uint32_t d) const { return loadBytes(from + d) * scale + lowest; }
  float one(uint32_t d) const {
    const float scaled = (float)from[d] * scale;
    return scaled + lowest;
  }
};

struct Int8Row : WholeRow, ScaledBytes {
  static constexpr size_t bytes(size_t width) { return width + 8; }
  explicit Int8Row(Place row, uint32_t width) {
    from = row;
    __builtin_memcpy(&scale, row + width, 4);
    __builtin_memcpy(&lowest, row + width + 4, 4);
  }
};

// A row of bytes whose scale and lowest weight are elsewhere.
struct SplitInt8Row : ScaledBytes {
  struct Place {
    const uint8_t* codes;
    const float* scales;
  };
  static Place at(const Rows& table, uint64_t row) { return {table.data + row * table.rowBytes, table.scales + 2 * row}; }
  static void prefetch(Place row, size_t bytes) {
    prefetchBytes(row.codes, bytes);
    prefetchBytes(row.scales, 8);
  }
  static constexpr size_t bytes(size_t width) { return width; }
  explicit SplitInt8Row(Place row, uint32_t) : ScaledBytes{row.codes, row.scales[0], row.scales[1]} {}
};

template <class Row, uint32_t WIDTH>
inline void copyRow(typename Row::Place row, float* to, uint32_t anyWidth) {
  const uint32_t width = WIDTH ? WIDTH : anyWidth;
  const Row source(row, width);
  uint32_t d = 0;
  for (; d + LANES <= width; d += LANES) store(to + d, source.vec(d));
  for (; d < width; ++d) to[d] = source.one(d);
}

template <class Row, uint32_t WIDTH>
inline void addRow(typename Row::Place row, float* to, uint32_t anyWidth) {
  const uint32_t width = WIDTH ? WIDTH : anyWidth;
  const Row source(row, width);
  uint32_t d = 0;
  for (; d + LANES <= width; d += LANES) store(to + d, load(to + d) + source.vec(d));
  for (; d < width; ++d) to[d] += source.one(d);
}

template <class Row, uint32_t WIDTH>
inline void maxRow(typename Row::Place row, float* to, uint32_t anyWidth) {
  const uint32_t width = WIDTH ? WIDTH : anyWidth;
  const Row source(row, width);
  for (uint32_t d = 0; d < width; ++d) {
    const float weight = source.one(d);
    if (weight > to[d]) to[d] = weight;
  }
}

// Lookups that are fetched ahead: what the line fill buffers hold of rows of some 128 bytes.
constexpr uint32_t LOOK_AHEAD = 12;

template <class Row, uint32_t WIDTH>
inline void prefetchRow(const Rows& table, typename Row::Place row) {
  Row::prefetch(row, WIDTH ? Row::bytes(WIDTH) : table.rowBytes);
}

template <class Row>
inline typename Row::Place rowAt(const Rows& table, const Slot& slot, int32_t id) {
  return Row::at(table, slot.base + (uint32_t)id);
}

// One list into one place. Its entries go on in the next row's list, so that a look ahead may simply run on.
template <class Row, uint32_t WIDTH>
inline void poolList(const Rows& table, const Slot& slot, uint32_t row, int32_t stop, float* to) {
  const uint32_t width = WIDTH ? WIDTH : table.width;
  const int32_t first = slot.offsets[row];
  const int32_t end = slot.offsets[row + 1];
  if (first == end) {
    for (uint32_t d = 0; d < width; ++d) to[d] = 0.0f;
    return;
  }
  for (int32_t i = first; i < end; ++i) {
    if (stop - i > (int32_t)LOOK_AHEAD) prefetchRow<Row, WIDTH>(table, rowAt<Row>(table, slot, slot.ids[i + LOOK_AHEAD]));
    const typename Row::Place from = rowAt<Row>(table, slot, slot.ids[i]);
    if (i == first) copyRow<Row, WIDTH>(from, to, width);
    else if (slot.pooling == Pooling::max) maxRow<Row, WIDTH>(from, to, width);
    else addRow<Row, WIDTH>(from, to, width);
  }
  if (slot.pooling == Pooling::mean && end - first > 1) {
    const float share = 1.0f / (float)(end - first);
    for (uint32_t d = 0; d < width; ++d) to[d] *= share;
  }
}

// A lookup whose row is being fetched.
template <class Row>
struct PendingLookup {
  typename Row::Place from;
  float* to;
};

// Row by row, so that the block is written from front to back. A row is fetched when its lookup joins a ring, and copied when
// the lookup leaves it: memory gets one request a copy, never a burst.
template <class Row, uint32_t WIDTH>
void lookupRows(const Rows& table, const Block& block, uint32_t firstRow, uint32_t endRow) {
  PendingLookup<Row> ring[RING];
  uint32_t joined = 0;
  float* start = block.out + (size_t)firstRow * block.stride;
  for (uint32_t row = firstRow; row < endRow; ++row, start += block.stride) {
    for (uint32_t s = 0; s < block.slotCount; ++s) {
      const Slot& slot = block.slots[s];
      if (slot.offsets) {
        poolList<Row, WIDTH>(table, slot, row, slot.offsets[endRow], start + slot.offset);
        continue;
      }
      const typename Row::Place from = rowAt<Row>(table, slot, slot.ids[row]);
      prefetchRow<Row, WIDTH>(table, from);
      PendingLookup<Row>& place = ring[joined % RING];
      if (joined >= RING) copyRow<Row, WIDTH>(place.from, place.to, table.width);
      place = {from, start + slot.offset};
      ++joined;
    }
  }
  for (uint32_t i = joined < RING ? 0 : joined - RING; i < joined; ++i) copyRow<Row, WIDTH>(ring[i % RING].from, ring[i % RING].to, table.width);
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
    case Precision::int8: return table.scales ? lookupWidth<SplitInt8Row>(table, block, firstRow, endRow) : lookupWidth<Int8Row>(table, block, firstRow, endRow);
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
