#pragma once
#include <cstddef>
#include <cstdint>

namespace onefold {

// Zeroed memory on huge pages where the system has them: a random row then costs one page walk less. It is taken from the
// system only as it is touched.
class HugeMemory {
 public:
  HugeMemory() = default;
  // Throws std::bad_alloc.
  explicit HugeMemory(size_t bytes);
  ~HugeMemory() { release(); }
  HugeMemory(HugeMemory&& other) noexcept;
  HugeMemory& operator=(HugeMemory&& other) noexcept;

  void* data() const { return data_; }
  size_t bytes() const { return bytes_; }
  void release();

 private:
  void* data_ = nullptr;
  size_t bytes_ = 0;
};

}  // namespace onefold
