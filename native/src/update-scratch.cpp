#include "update-scratch.hpp"

#include <algorithm>
#include <new>

namespace onefold {
namespace {

// Entries of one counting task. It does not depend on the threads, and neither does the order within a partition.
constexpr size_t CHUNK = 16384;
// A partition's hash table then fits the L1 cache.
constexpr size_t PARTITION_ENTRIES = 512;
constexpr unsigned MAX_PARTITION_BITS = 10;
constexpr size_t SPAN_CHUNK = 256;
constexpr uint32_t OWNER_ROWS = 8192;
constexpr uint32_t SHARED = 0x80000000u;

uint32_t partitionHash(uint32_t row) { return row * 0x9e3779b1u; }
uint32_t sieveHash(uint32_t row) { return (row ^ (row >> 16)) * 0xcc9e2d51u; }
uint32_t slotHash(uint32_t row) { return (row ^ (row >> 15)) * 0x85ebca6bu; }

template <class T>
void growTo(std::vector<T>& buffer, size_t size) {
  if (buffer.size() < size) buffer.resize(std::max(size, buffer.size() + buffer.size() / 2));
}

}  // namespace

void UpdateScratch::group(Kernel& kernel, const TrainedRows& table, std::vector<Block>& blocks, std::vector<Slot>& slots) {
  threads_.resize(kernel.pool.threads());
  for (ThreadScratch& scratch : threads_) growTo(scratch.row, table.width);
  numberEntries(kernel, table, blocks, slots);
  sieve(kernel, slots);
  partition(kernel, slots);
}

void UpdateScratch::numberEntries(Kernel& kernel, const TrainedRows& table, std::vector<Block>& blocks, std::vector<Slot>& slots) {
  spans_.clear();
  entries_ = 0;
  size_t listEntries = 0, winners = 0, index = 0;
  for (uint32_t b = 0; b < blocks.size(); ++b) {
    for (uint32_t s = 0; s < blocks[b].slotCount; ++s, ++index) {
      Slot& slot = slots[index];
      const uint32_t rows = blocks[b].rowCount;
      slot.firstEntry = entries_;
      slot.entries = slot.offsets ? static_cast<size_t>(slot.offsets[rows] - slot.offsets[0]) : rows;
      spans_.push_back({b, s, static_cast<uint32_t>(index), entries_, entries_ + slot.entries});
      entries_ += slot.entries;
      if (slot.offsets) listEntries += slot.entries;
      if (slot.pooling == Pooling::max) winners += size_t{rows} * table.width;
    }
  }
  // Entry numbers have 31 bits, so that an entry is eight bytes and a slot four.
  if (entries_ >= SHARED) throw std::bad_alloc();
  growTo(lone_, entries_);
  growTo(owners_, listEntries);
  growTo(winners_, winners);
  growTo(spanOfChunk_, entries_ / SPAN_CHUNK + 1);

  struct Range {
    uint32_t slot, first, end;
  };
  std::vector<Range> ranges;
  uint32_t* owner = owners_.data();
  uint32_t* winner = winners_.data();
  for (const Span& span : spans_) {
    Slot& slot = slots[span.index];
    const uint32_t rows = blocks[span.block].rowCount;
    slot.lone = lone_.data() + slot.firstEntry;
    slot.owners = nullptr;
    slot.winners = nullptr;
    if (!slot.offsets) continue;
    slot.owners = owner;
    owner += slot.entries;
    if (slot.pooling == Pooling::max) {
      slot.winners = winner;
      winner += size_t{rows} * table.width;
    }
    for (uint32_t row = 0; row < rows; row += OWNER_ROWS) ranges.push_back({span.index, row, std::min(rows, row + OWNER_ROWS)});
  }
  kernel.pool.run(ranges.size(), [&](size_t task, unsigned) {
    const Range& range = ranges[task];
    const Slot& slot = slots[range.slot];
    uint32_t* const owners = const_cast<uint32_t*>(slot.owners);
    for (uint32_t row = range.first; row < range.end; ++row) {
      for (int32_t i = slot.offsets[row]; i < slot.offsets[row + 1]; ++i) owners[i - slot.offsets[0]] = row;
    }
    if (slot.winners) kernel.level.findWinners(table, slot, range.first, range.end, const_cast<uint32_t*>(slot.winners));
  });
  uint32_t span = 0;
  for (size_t entry = 0, chunk = 0; entry < entries_; entry += SPAN_CHUNK, ++chunk) {
    while (spans_[span].end <= entry) ++span;
    spanOfChunk_[chunk] = span;
  }
}

const UpdateScratch::Span& UpdateScratch::spanOf(uint32_t entry) const {
  const Span* span = &spans_[spanOfChunk_[entry / SPAN_CHUNK]];
  while (span->end <= entry) ++span;
  return *span;
}

// Calls visit(fused row, entry number) for the entries of one chunk, in order.
template <class Visit>
void UpdateScratch::eachEntry(const std::vector<Slot>& slots, size_t chunk, Visit visit) const {
  const size_t end = std::min(entries_, (chunk + 1) * CHUNK);
  for (size_t entry = chunk * CHUNK; entry < end;) {
    const Span& span = spanOf(static_cast<uint32_t>(entry));
    const Slot& slot = slots[span.index];
    const size_t stop = std::min(end, span.end);
    const int32_t* const ids = slot.ids + (slot.offsets ? slot.offsets[0] : 0);
    const uint32_t base = static_cast<uint32_t>(slot.base);
    for (; entry < stop; ++entry) visit(base + static_cast<uint32_t>(ids[entry - span.first]), static_cast<uint32_t>(entry));
  }
}

// Finds the entries that may share their row: two bits a bucket of hashed rows say whether one entry fell into it, and
// whether another did. Most rows of a large table are met once, and go no further.
void UpdateScratch::sieve(Kernel& kernel, const std::vector<Slot>& slots) {
  unsigned bits = 10;
  while ((size_t{1} << bits) < 8 * entries_) ++bits;
  sieveShift_ = 32 - std::min(bits, 31u);
  const size_t words = (size_t{1} << (32 - sieveShift_)) / 32;
  for (ThreadScratch& scratch : threads_) growTo(scratch.sieve, words);
  for (ThreadScratch& scratch : threads_) scratch.sieved = false;
  const size_t chunks = (entries_ + CHUNK - 1) / CHUNK;
  kernel.pool.run(chunks, [&](size_t chunk, unsigned thread) {
    ThreadScratch& scratch = threads_[thread];
    uint64_t* const sieve = scratch.sieve.data();
    if (!scratch.sieved) std::fill_n(sieve, words, uint64_t{0});
    scratch.sieved = true;
    eachEntry(slots, chunk, [&](uint32_t row, uint32_t) {
      const uint32_t bucket = sieveHash(row) >> sieveShift_;
      const uint64_t once = uint64_t{1} << (bucket & 31);
      uint64_t& word = sieve[bucket / 32];
      word |= ((word & once) << 32) | once;
    });
  });
  // Which thread saw an entry does not matter: the low halves are united, the high ones gain what both low ones have.
  uint64_t* all = nullptr;
  for (ThreadScratch& scratch : threads_) {
    if (!scratch.sieved) continue;
    if (!all) all = scratch.sieve.data();
    else for (size_t i = 0; i < words; ++i) all[i] |= scratch.sieve[i] | ((all[i] & scratch.sieve[i]) << 32);
  }
  sieve_ = all;
}

// Counting sort of the other entries by a hash of the row, stable, so that equal rows meet in one partition and keep their order.
void UpdateScratch::partition(Kernel& kernel, const std::vector<Slot>& slots) {
  partitionBits_ = 0;
  while (partitionBits_ < MAX_PARTITION_BITS && (entries_ >> partitionBits_) > PARTITION_ENTRIES) ++partitionBits_;
  const size_t parts = size_t{1} << partitionBits_;
  // A shift by 32 is undefined, so the hash is widened first.
  const unsigned shift = 32 - partitionBits_;
  const auto partOf = [shift](uint32_t row) { return static_cast<size_t>(static_cast<uint64_t>(partitionHash(row)) >> shift); };
  const size_t chunks = (entries_ + CHUNK - 1) / CHUNK;
  cursors_.assign(chunks * parts, 0);
  kernel.pool.run(chunks, [&](size_t chunk, unsigned) {
    uint32_t* const counts = cursors_.data() + chunk * parts;
    eachEntry(slots, chunk, [&](uint32_t row, uint32_t number) {
      const uint32_t bucket = sieveHash(row) >> sieveShift_;
      const uint8_t lone = !((sieve_[bucket / 32] >> (32 + (bucket & 31))) & 1);
      lone_[number] = lone;
      counts[partOf(row)] += !lone;
    });
  });
  partStarts_.resize(parts + 1);
  size_t total = 0, largest = 0;
  for (size_t part = 0; part < parts; ++part) {
    partStarts_[part] = total;
    for (size_t chunk = 0; chunk < chunks; ++chunk) {
      uint32_t& cursor = cursors_[chunk * parts + part];
      const uint32_t count = cursor;
      cursor = static_cast<uint32_t>(total);
      total += count;
    }
    largest = std::max(largest, total - partStarts_[part]);
  }
  partStarts_[parts] = total;
  growTo(entriesByPart_, total);
  kernel.pool.run(chunks, [&](size_t chunk, unsigned) {
    uint32_t* const cursors = cursors_.data() + chunk * parts;
    eachEntry(slots, chunk, [&](uint32_t row, uint32_t number) {
      if (!lone_[number]) entriesByPart_[cursors[partOf(row)]++] = {row, number};
    });
  });
  // All memory that the threads will need: they must not run out of it halfway through an update.
  size_t slotCount = 16;
  while (slotCount < 2 * largest) slotCount *= 2;
  for (ThreadScratch& scratch : threads_) {
    growTo(scratch.slots, slotCount);
    for (auto* buffer : {&scratch.heads, &scratch.tails, &scratch.next}) growTo(*buffer, largest);
    growTo(scratch.links, largest);
    growTo(scratch.groups, largest / 2 + 1);
  }
  distinctOfPart_.assign(parts, 0);
}

// Lists the rows of a partition that several entries share, and marks those entries. Returns the distinct rows.
uint32_t UpdateScratch::findGroups(const Entry* entries, uint32_t count, ThreadScratch& scratch, size_t& groupCount) {
  unsigned bits = 4;
  while ((size_t{1} << bits) < 2 * size_t{count}) ++bits;
  const uint32_t mask = static_cast<uint32_t>((size_t{1} << bits) - 1);
  // A slot holds 0, or 1 + the only entry of its row so far, or SHARED + the group of its row.
  uint32_t* const slots = scratch.slots.data();
  std::fill_n(slots, size_t{mask} + 1, 0u);
  uint32_t* const heads = scratch.heads.data();
  uint32_t* const tails = scratch.tails.data();
  uint32_t* const next = scratch.next.data();
  uint32_t groups = 0, repeats = 0;
  for (uint32_t i = 0; i < count; ++i) {
    const uint32_t row = entries[i].row;
    uint32_t slot = slotHash(row) >> (32 - bits);
    for (;; slot = (slot + 1) & mask) {
      const uint32_t found = slots[slot];
      if (found == 0) {
        slots[slot] = 1 + i;
        lone_[entries[i].number] = 1;
        break;
      }
      const uint32_t head = found < SHARED ? found - 1 : heads[found - SHARED];
      if (entries[head].row != row) continue;
      ++repeats;
      uint32_t group = found - SHARED;
      if (found < SHARED) {
        group = groups++;
        slots[slot] = SHARED + group;
        heads[group] = tails[group] = head;
      }
      next[tails[group]] = i;
      tails[group] = i;
      break;
    }
  }
  uint32_t links = 0;
  for (uint32_t g = 0; g < groups; ++g) {
    const uint32_t first = links;
    for (uint32_t i = heads[g];; i = next[i]) {
      const uint32_t number = entries[i].number;
      const Span& span = spanOf(number);
      lone_[number] = 0;
      scratch.links[links++] = {span.block, span.slot, static_cast<uint32_t>(number - span.first)};
      if (i == tails[g]) break;
    }
    scratch.groups[g] = {entries[heads[g]].row, first, links - first};
  }
  groupCount = groups;
  return count - repeats;
}

void UpdateScratch::updateGroups(Kernel& kernel, const TrainedRows& table, const std::vector<Block>& blocks, const Optimizer& optimizer) {
  kernel.pool.run(distinctOfPart_.size(), [&](size_t part, unsigned thread) {
    ThreadScratch& scratch = threads_[thread];
    size_t groups = 0;
    distinctOfPart_[part] =
        findGroups(entriesByPart_.data() + partStarts_[part], static_cast<uint32_t>(partStarts_[part + 1] - partStarts_[part]), scratch, groups);
    kernel.level.updateGroups(table, optimizer, blocks.data(), scratch.groups.data(), groups, scratch.links.data(), scratch.row.data());
  });
  distinct_ = entries_ - partStarts_.back();
  for (const uint32_t count : distinctOfPart_) distinct_ += count;
}

}  // namespace onefold
