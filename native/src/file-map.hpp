#pragma once
#include <cstddef>
#include <cstdint>

namespace onefold {

// Bytes of a file, read-only and in the page cache alone: every process that maps them shares them, and they are read from the
// file only as they are touched.
class FileMap {
 public:
  FileMap() = default;
  // `file` is a descriptor, and may be closed afterwards; `offset` need not be on a page. Throws std::invalid_argument where the
  // file ends before them, std::system_error where the system refuses.
  FileMap(int file, uint64_t offset, size_t bytes);
  ~FileMap() { release(); }
  FileMap(FileMap&& other) noexcept;
  FileMap& operator=(FileMap&& other) noexcept;

  const uint8_t* data() const { return data_; }

 private:
  void release();

  const uint8_t* data_ = nullptr;
  void* start_ = nullptr;  // of the page below
  size_t mapped_ = 0;
};

}  // namespace onefold
