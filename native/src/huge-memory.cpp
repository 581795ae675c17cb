#include "huge-memory.hpp"

#include <sys/mman.h>

#include <cstdlib>
#include <new>
#include <utility>

#include "watched.hpp"

namespace onefold {
namespace {
constexpr size_t HUGE_PAGE = size_t{2} << 20;
size_t roundUp(size_t bytes, size_t unit) { return (bytes + unit - 1) / unit * unit; }
}  // namespace

HugeMemory::HugeMemory(size_t bytes) {
  if (bytes == 0) return;
#ifdef ONEFOLD_WATCHED
  data_ = std::calloc(bytes, 1);
  if (!data_) throw std::bad_alloc();
  bytes_ = bytes;
  return;
#endif
  // Small tables keep small pages: a huge one each would be mostly empty.
  const bool huge = bytes >= HUGE_PAGE;
  const size_t size = roundUp(bytes, huge ? HUGE_PAGE : 4096);
  if (size < bytes || size > SIZE_MAX / 2) throw std::bad_alloc();
  int flags = MAP_PRIVATE | MAP_ANONYMOUS;
#ifdef MAP_NORESERVE
  flags |= MAP_NORESERVE;
#endif
  const size_t mapped = huge ? size + HUGE_PAGE : size;
  void* const start = mmap(nullptr, mapped, PROT_READ | PROT_WRITE, flags, -1, 0);
  if (start == MAP_FAILED) throw std::bad_alloc();
  const uintptr_t from = reinterpret_cast<uintptr_t>(start);
  const uintptr_t aligned = huge ? roundUp(from, HUGE_PAGE) : from;
  if (aligned > from) munmap(start, aligned - from);
  if (from + mapped > aligned + size) munmap(reinterpret_cast<void*>(aligned + size), from + mapped - aligned - size);
  data_ = reinterpret_cast<void*>(aligned);
  bytes_ = size;
#ifdef MADV_HUGEPAGE
  if (huge) madvise(data_, bytes_, MADV_HUGEPAGE);
#endif
}

HugeMemory::HugeMemory(HugeMemory&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), bytes_(std::exchange(other.bytes_, 0)) {}

HugeMemory& HugeMemory::operator=(HugeMemory&& other) noexcept {
  release();
  data_ = std::exchange(other.data_, nullptr);
  bytes_ = std::exchange(other.bytes_, 0);
  return *this;
}

void HugeMemory::release() {
#ifdef ONEFOLD_WATCHED
  std::free(data_);
#else
  if (data_) munmap(data_, bytes_);
#endif
  data_ = nullptr;
  bytes_ = 0;
}

}  // namespace onefold
