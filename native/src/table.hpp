// A table and what a kernel does with it: the parallel side of src/kernels/embedding-kernel.ts.
#pragma once
#include <memory>
#include <optional>
#include <vector>

#include "file-map.hpp"
#include "huge-memory.hpp"
#include "jobs.hpp"
#include "thread-pool.hpp"

namespace onefold {

struct Kernel {
  ThreadPool pool;
  const Level& level;
};

// What an id check found, by (slot, position): the first in that order.
struct Fault {
  uint32_t block, slot;
  bool badOffsets;
  uint32_t position;  // of the id in the slot's values
};

struct Part {
  HugeMemory memory;
  uint32_t width;
};

// Rows in a file: offsets are those of the first row, and of its scale where rows are int8.
struct TableFile {
  int descriptor;
  Precision precision;
  uint64_t offset, scalesOffset;
};

class UpdateScratch;

class Table {
 public:
  Table(std::shared_ptr<Kernel> kernel, uint32_t width, uint64_t rows, OptimizerType optimizer);
  // A copy in reduced precision.
  Table(const Table& table, Precision precision);
  // Rows of a file; throws as FileMap does.
  Table(std::shared_ptr<Kernel> kernel, uint32_t width, uint64_t rows, const TableFile& file);
  ~Table();

  // Returns what is wrong with the ids; `out` is untouched then.
  std::optional<Fault> lookup(const Block& block);
  // Returns what is wrong with the ids; the table is untouched then.
  std::optional<Fault> update(std::vector<Block>& blocks, std::vector<Slot>& slots, const Optimizer& optimizer, size_t& updated);

  Part* part(size_t index) { return index < parts_.size() ? &parts_[index] : nullptr; }
  uint32_t width() const { return rows_.width; }
  uint64_t rows() const { return rowCount_; }
  Precision precision() const { return rows_.precision; }
  OptimizerType optimizer() const { return optimizer_; }

 private:
  std::shared_ptr<Kernel> kernel_;
  uint64_t rowCount_;
  OptimizerType optimizer_;
  std::vector<Part> parts_;
  FileMap rowsMap_, scalesMap_;
  Rows rows_;
  std::unique_ptr<UpdateScratch> scratch_;
};

// The first id outside its table, or list boundaries that descend or leave the values; all slots of all blocks.
std::optional<Fault> checkIds(Kernel& kernel, const Block* blocks, size_t blockCount);

double squaredNorm(Kernel& kernel, const float* values, size_t count);
void denseAdam(Kernel& kernel, float* parameter, float* first, float* second, const float* gradient, size_t count, const DenseAdam& step);

}  // namespace onefold
