// What the hot loops work on. Plain data only: this header is compiled once for every SIMD level, and an inline function
// shared between levels could be linked in the wrong one.
#pragma once
#include <stddef.h>
#include <stdint.h>

namespace onefold {

enum class Pooling : uint8_t { single, sum, mean, max };
enum class Precision : uint8_t { fp32, fp16, int8 };
enum class OptimizerType : uint8_t { none, adagrad, adam, sgd };

// The rows of a table, however they are stored. int8 rows have a scale and a lowest weight (two floats): each ends in its own,
// or `scales` has those of all rows.
struct Rows {
  const uint8_t* data;
  size_t rowBytes;
  uint32_t width;
  Precision precision;
  const float* scales;  // null where there are none apart
};

// An fp32 table with its optimizer's state: `first` holds Adagrad's accumulators or Adam's first moments.
struct TrainedRows {
  float* weights;
  float* first;
  float* second;
  uint32_t width;
};

struct Optimizer {
  OptimizerType type;
  bool l2;
  float learningRate, epsilon, weightDecay;
  // Adam: `rate` is learningRate / (1 - beta1^t), `rootScale` is 1 / sqrt(1 - beta2^t); rests are 1 - beta in double first.
  float beta1, beta2, rest1, rest2, rate, rootScale;
  float kept;  // 1 - learningRate * weightDecay
};

// One encoded column of a block.
struct Slot {
  const int32_t* ids;
  const int32_t* offsets;  // null when single
  size_t idCount;
  uint64_t base;
  uint32_t rows;
  uint32_t offset;
  Pooling pooling;
  // Below: updates only, all by position in the slot's entries, except winners.
  size_t firstEntry;        // position 0 in the step's numbering of entries
  size_t entries;
  const uint32_t* owners;   // row of each entry; null when single
  const uint32_t* winners;  // max: [rowCount, width] position of the entry that gets the gradient
  const uint8_t* lone;      // 1 where no other entry has the same row
};

struct Block {
  const Slot* slots;
  uint32_t slotCount;
  uint32_t rowCount;
  size_t stride;
  float* out;
  const float* gradient;
};

// An entry that shares its row with others.
struct Link {
  uint32_t block, slot, position;
};

// A row that several entries share: links [first, first + count), in the order of the step's entries.
struct Group {
  uint64_t row;
  uint32_t first, count;
};

struct DenseAdam {
  float beta1, beta2, rest1, rest2, epsilon, l2, kept, rate, rootScale, gradientScale;
};

// The hot loops, compiled for one instruction set.
struct Level {
  const char* name;
  bool (*idsInside)(const int32_t* ids, size_t count, uint32_t rows);
  void (*lookup)(const Rows& table, const Block& block, uint32_t firstRow, uint32_t endRow);
  void (*findWinners)(const TrainedRows& table, const Slot& slot, uint32_t firstRow, uint32_t endRow, uint32_t* winners);
  void (*updateLone)(const TrainedRows& table, const Optimizer& optimizer, const Block& block, uint32_t firstRow, uint32_t endRow,
                     float* scratch);
  void (*updateGroups)(const TrainedRows& table, const Optimizer& optimizer, const Block* blocks, const Group* groups,
                       size_t groupCount, const Link* links, float* scratch);
  double (*squaredNorm)(const float* values, size_t count);
  void (*denseAdam)(float* parameter, float* first, float* second, const float* gradient, size_t count, const DenseAdam& step);
};


}  // namespace onefold
