#include "file-map.hpp"

#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <new>
#include <stdexcept>
#include <system_error>
#include <utility>

#include "watched.hpp"

namespace onefold {

FileMap::FileMap(int file, uint64_t offset, size_t bytes) {
  struct stat status;
  if (fstat(file, &status) != 0) throw std::system_error(errno, std::generic_category(), "fstat");
  if (status.st_size < 0 || static_cast<uint64_t>(status.st_size) < offset + bytes) throw std::invalid_argument("the file ends before the table");
  if (bytes == 0) return;
  const uint64_t below = offset % static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
  const size_t mapped = bytes + below;
  void* const start = mmap(nullptr, mapped, PROT_READ, MAP_SHARED, file, static_cast<off_t>(offset - below));
  if (start == MAP_FAILED) throw std::system_error(errno, std::generic_category(), "mmap");
#ifdef ONEFOLD_WATCHED
  void* const copy = std::malloc(bytes);
  if (copy) std::memcpy(copy, static_cast<const uint8_t*>(start) + below, bytes);
  munmap(start, mapped);
  if (!copy) throw std::bad_alloc();
  start_ = copy;
  data_ = static_cast<const uint8_t*>(copy);
#else
  // Rows are looked up anywhere: what follows one is not worth reading.
  madvise(start, mapped, MADV_RANDOM);
  start_ = start;
  data_ = static_cast<const uint8_t*>(start) + below;
#endif
  mapped_ = mapped;
}

FileMap::FileMap(FileMap&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), start_(std::exchange(other.start_, nullptr)), mapped_(std::exchange(other.mapped_, 0)) {}

FileMap& FileMap::operator=(FileMap&& other) noexcept {
  release();
  data_ = std::exchange(other.data_, nullptr);
  start_ = std::exchange(other.start_, nullptr);
  mapped_ = std::exchange(other.mapped_, 0);
  return *this;
}

void FileMap::release() {
#ifdef ONEFOLD_WATCHED
  std::free(start_);
#else
  if (start_) munmap(start_, mapped_);
#endif
  data_ = nullptr;
  start_ = nullptr;
  mapped_ = 0;
}

}  // namespace onefold
