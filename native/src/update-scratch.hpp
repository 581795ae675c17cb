#pragma once
#include <vector>

#include "table.hpp"

namespace onefold {

// Finds which entries of a step share a row. Entries are numbered in the order of blocks, slots, rows and list entries,
// and keep it: each group's links run in it, so sums have one order however many threads there are. Buffers are reused.
class UpdateScratch {
 public:
  // Fills in the update fields of `slots`; ids are checked already.
  void group(Kernel& kernel, const TrainedRows& table, std::vector<Block>& blocks, std::vector<Slot>& slots);
  // Sums each group's gradients and applies the optimizer to its row.
  void updateGroups(Kernel& kernel, const TrainedRows& table, const std::vector<Block>& blocks, const Optimizer& optimizer);

  size_t distinctRows() const { return distinct_; }
  // A row of floats that one thread may use.
  float* rowOf(unsigned thread) { return threads_[thread].row.data(); }

 private:
  struct Entry {
    uint32_t row;   // fused row; a table has fewer than 2^32
    uint32_t number;
  };
  struct Span {
    uint32_t block, slot, index;  // index: of the slot among all blocks'
    size_t first, end;
  };
  struct ThreadScratch {
    std::vector<float> row;
    std::vector<uint64_t> sieve;
    bool sieved = false;
    std::vector<uint32_t> slots;  // open addressing
    std::vector<uint32_t> heads, tails;  // of each group
    std::vector<Group> groups;
    std::vector<Link> links;
    std::vector<uint32_t> next;  // of each entry in a group
  };

  void numberEntries(Kernel& kernel, const TrainedRows& table, std::vector<Block>& blocks, std::vector<Slot>& slots);
  void sieve(Kernel& kernel, const std::vector<Slot>& slots);
  void partition(Kernel& kernel, const std::vector<Slot>& slots);
  uint32_t findGroups(const Entry* entries, uint32_t count, ThreadScratch& scratch, size_t& groupCount);
  template <class Visit>
  void eachEntry(const std::vector<Slot>& slots, size_t chunk, Visit visit) const;
  const Span& spanOf(uint32_t entry) const;

  size_t entries_ = 0;
  size_t distinct_ = 0;
  unsigned partitionBits_ = 0;
  unsigned sieveShift_ = 0;
  const uint64_t* sieve_ = nullptr;
  std::vector<Span> spans_;
  std::vector<uint32_t> spanOfChunk_;
  std::vector<Entry> entriesByPart_;
  std::vector<size_t> partStarts_;
  std::vector<uint32_t> cursors_;
  std::vector<uint8_t> lone_;
  std::vector<uint32_t> owners_;
  std::vector<uint32_t> winners_;
  std::vector<uint32_t> distinctOfPart_;
  std::vector<ThreadScratch> threads_;
};

}  // namespace onefold
