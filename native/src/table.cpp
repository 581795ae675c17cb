#include "table.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <stdexcept>

#include "half.hpp"
#include "update-scratch.hpp"

namespace onefold {
namespace {

constexpr size_t CHECK_CHUNK = 16384;
constexpr size_t NORM_BLOCK = 8192;  // as in src/kernels/squared-norm.ts
constexpr size_t DENSE_CHUNK = 16384;
// Lookups of one task: large beside the cost of taking it, small enough to share out evenly.
constexpr size_t TASK_LOOKUPS = 4096;

uint32_t rowsOfTask(const Block& block) {
  size_t entries = 0;
  for (uint32_t s = 0; s < block.slotCount; ++s) {
    const Slot& slot = block.slots[s];
    entries += slot.offsets ? static_cast<size_t>(slot.offsets[block.rowCount] - slot.offsets[0]) : block.rowCount;
  }
  const size_t perRow = std::max<size_t>(1, entries / std::max(1u, block.rowCount));
  return static_cast<uint32_t>(std::max<size_t>(32, TASK_LOOKUPS / perRow / 32 * 32));
}

void encodeBytes(const float* weights, uint32_t width, uint8_t* to) {
  float lowest = weights[0], highest = weights[0];
  for (uint32_t d = 1; d < width; ++d) {
    lowest = std::min(lowest, weights[d]);
    highest = std::max(highest, weights[d]);
  }
  const float scale = (highest - lowest) / 255.0f;
  const double inverse = scale == 0.0f ? 0.0 : 1.0 / static_cast<double>(scale);
  for (uint32_t d = 0; d < width; ++d) {
    const double code = std::floor((static_cast<double>(weights[d]) - static_cast<double>(lowest)) * inverse + 0.5);
    // A row with a weight that is not finite has no scale; its codes mean nothing, and must still be codes.
    to[d] = code >= 0.0 && code <= 255.0 ? static_cast<uint8_t>(code) : (code > 255.0 ? 255 : 0);
  }
  std::memcpy(to + width, &scale, 4);
  std::memcpy(to + width + 4, &lowest, 4);
}

}  // namespace

Table::Table(std::shared_ptr<Kernel> kernel, uint32_t width, uint64_t rows, OptimizerType optimizer)
    : kernel_(std::move(kernel)), rowCount_(rows), optimizer_(optimizer) {
  const auto add = [&](uint32_t partWidth) { parts_.push_back({HugeMemory(rows * partWidth * sizeof(float)), partWidth}); };
  add(width);
  if (optimizer == OptimizerType::adagrad) add(1);
  if (optimizer == OptimizerType::adam) add(width), add(width);
  rows_ = {static_cast<uint8_t*>(parts_[0].memory.data()), width * sizeof(float), width, Precision::fp32, nullptr};
}

Table::Table(const Table& table, Precision precision)
    : kernel_(table.kernel_), rowCount_(table.rowCount_), optimizer_(OptimizerType::none) {
  const uint32_t width = table.rows_.width;
  const size_t rowBytes = precision == Precision::fp16 ? 2 * width : width + 8;
  // The last row may be read a vector at a time only within the row, so no padding is needed.
  parts_.push_back({HugeMemory(rowCount_ * rowBytes), width});
  uint8_t* const data = static_cast<uint8_t*>(parts_[0].memory.data());
  rows_ = {data, rowBytes, width, precision, nullptr};
  const float* const weights = reinterpret_cast<const float*>(table.rows_.data);
  constexpr uint64_t PIECE = 4096;
  kernel_->pool.run((rowCount_ + PIECE - 1) / PIECE, [&](size_t task, unsigned) {
    for (uint64_t row = task * PIECE; row < std::min(rowCount_, (task + 1) * PIECE); ++row) {
      const float* const from = weights + row * width;
      uint8_t* const to = data + row * rowBytes;
      if (precision == Precision::int8) encodeBytes(from, width, to);
      else for (uint32_t d = 0; d < width; ++d) reinterpret_cast<uint16_t*>(to)[d] = toHalf(from[d]);
    }
  });
}

Table::Table(std::shared_ptr<Kernel> kernel, uint32_t width, uint64_t rows, const TableFile& file)
    : kernel_(std::move(kernel)), rowCount_(rows), optimizer_(OptimizerType::none) {
  const size_t weightBytes = file.precision == Precision::fp32 ? 4 : file.precision == Precision::fp16 ? 2 : 1;
  const bool scaled = file.precision == Precision::int8;
  if (file.offset % weightBytes != 0 || (scaled && file.scalesOffset % sizeof(float) != 0)) throw std::invalid_argument("rows are not aligned");
  rowsMap_ = FileMap(file.descriptor, file.offset, rows * width * weightBytes);
  if (scaled) scalesMap_ = FileMap(file.descriptor, file.scalesOffset, rows * 2 * sizeof(float));
  rows_ = {rowsMap_.data(), width * weightBytes, width, file.precision, reinterpret_cast<const float*>(scalesMap_.data())};
}

Table::~Table() = default;

std::optional<Fault> checkIds(Kernel& kernel, const Block* blocks, size_t blockCount) {
  struct Check {
    const Slot* slot;
    uint32_t block, index;
    size_t first, count;
    uint32_t rows;
  };
  std::vector<Check> checks;
  size_t total = 0;
  std::optional<Fault> fault;
  for (uint32_t b = 0; b < blockCount && !fault; ++b) {
    for (uint32_t s = 0; s < blocks[b].slotCount && !fault; ++s) {
      const Slot& slot = blocks[b].slots[s];
      size_t first = 0, end = blocks[b].rowCount;
      if (slot.offsets) {
        // Boundaries first: they say which ids exist. Ids of the slots before this one are checked below.
        const int32_t* const offsets = slot.offsets;
        bool ascending = true;
        for (uint32_t row = 0; row < blocks[b].rowCount; ++row) ascending &= offsets[row] <= offsets[row + 1];
        if (!ascending || offsets[0] < 0 || static_cast<size_t>(offsets[blocks[b].rowCount]) > slot.idCount) {
          fault = Fault{b, s, true, 0};
          break;
        }
        first = static_cast<size_t>(offsets[0]);
        end = static_cast<size_t>(offsets[blocks[b].rowCount]);
      }
      total += end - first;
      for (; first < end; first += CHECK_CHUNK) checks.push_back({&slot, b, s, first, std::min(CHECK_CHUNK, end - first), slot.rows});
    }
  }
  std::vector<uint8_t> bad(checks.size());
  const auto run = [&](size_t task, unsigned) {
    const Check& check = checks[task];
    bad[task] = !kernel.level.idsInside(check.slot->ids + check.first, check.count, check.rows);
  };
  // A few ids are checked before a thread wakes.
  if (total <= CHECK_CHUNK) for (size_t task = 0; task < checks.size(); ++task) run(task, 0);
  else kernel.pool.run(checks.size(), run);
  for (size_t i = 0; i < checks.size(); ++i) {
    if (!bad[i]) continue;
    const Check& check = checks[i];
    for (size_t k = check.first;; ++k) {
      if (static_cast<uint32_t>(check.slot->ids[k]) >= check.rows) return Fault{check.block, check.index, false, static_cast<uint32_t>(k)};
    }
  }
  return fault;
}

std::optional<Fault> Table::lookup(const Block& block) {
  if (const auto fault = checkIds(*kernel_, &block, 1)) return fault;
  const uint32_t step = rowsOfTask(block);
  kernel_->pool.run((block.rowCount + size_t{step} - 1) / step, [&](size_t task, unsigned) {
    const uint32_t first = static_cast<uint32_t>(task) * step;
    kernel_->level.lookup(rows_, block, first, static_cast<uint32_t>(std::min<size_t>(block.rowCount, size_t{first} + step)));
  });
  return std::nullopt;
}

std::optional<Fault> Table::update(std::vector<Block>& blocks, std::vector<Slot>& slots, const Optimizer& optimizer, size_t& updated) {
  if (const auto fault = checkIds(*kernel_, blocks.data(), blocks.size())) return fault;
  if (!scratch_) scratch_ = std::make_unique<UpdateScratch>();
  const auto state = [&](size_t index) { return index < parts_.size() ? static_cast<float*>(parts_[index].memory.data()) : nullptr; };
  const TrainedRows trained{state(0), state(1), state(2), rows_.width};
  scratch_->group(*kernel_, trained, blocks, slots);
  // Each row is in one group or is one lone entry, so the two passes touch different rows, and each row once.
  scratch_->updateGroups(*kernel_, trained, blocks, optimizer);
  for (const Block& block : blocks) {
    const uint32_t step = rowsOfTask(block);
    kernel_->pool.run((block.rowCount + size_t{step} - 1) / step, [&](size_t task, unsigned thread) {
      const uint32_t first = static_cast<uint32_t>(task) * step;
      const uint32_t end = static_cast<uint32_t>(std::min<size_t>(block.rowCount, size_t{first} + step));
      kernel_->level.updateLone(trained, optimizer, block, first, end, scratch_->rowOf(thread));
    });
  }
  updated = scratch_->distinctRows();
  return std::nullopt;
}

double squaredNorm(Kernel& kernel, const float* values, size_t count) {
  const size_t blocks = (count + NORM_BLOCK - 1) / NORM_BLOCK;
  std::vector<double> sums(blocks);
  kernel.pool.run(blocks, [&](size_t block, unsigned) {
    sums[block] = kernel.level.squaredNorm(values + block * NORM_BLOCK, std::min(NORM_BLOCK, count - block * NORM_BLOCK));
  });
  double total = 0;
  for (const double sum : sums) total += sum;
  return total;
}

void denseAdam(Kernel& kernel, float* parameter, float* first, float* second, const float* gradient, size_t count, const DenseAdam& step) {
  kernel.pool.run((count + DENSE_CHUNK - 1) / DENSE_CHUNK, [&](size_t task, unsigned) {
    const size_t from = task * DENSE_CHUNK;
    kernel.level.denseAdam(parameter + from, first + from, second + from, gradient + from, std::min(DENSE_CHUNK, count - from), step);
  });
}

}  // namespace onefold
