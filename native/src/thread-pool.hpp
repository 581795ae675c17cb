// Threads that stay. Work arrives every few milliseconds while training, so they spin for some microseconds before they
// sleep; no longer, because ONNX Runtime's threads need the same cores between our calls.
#pragma once
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <thread>
#include <vector>

namespace onefold {

class ThreadPool {
 public:
  // `threads` counts the calling thread.
  explicit ThreadPool(unsigned threads);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;

  unsigned threads() const { return static_cast<unsigned>(workers_.size()) + 1; }

  // Calls work(task, thread) for every task below `tasks`, on any thread, and returns when all are done. `thread` is below
  // threads() and never used by two tasks at once. Work must not throw.
  template <class Work>
  void run(size_t tasks, Work work) {
    runAll(tasks, [](void* context, size_t task, unsigned thread) { (*static_cast<Work*>(context))(task, thread); }, &work);
  }

 private:
  using Function = void (*)(void* context, size_t task, unsigned thread);
  void runAll(size_t tasks, Function function, void* context);
  void runSome(uint32_t tasks, Function function, void* context);
  bool takeTask(unsigned thread);
  void serve(unsigned thread);

  // Job number, task count and next task in one word: a task taken by compare-and-swap belongs to the job that was read.
  std::atomic<uint64_t> state_{0};
  std::atomic<Function> function_{nullptr};
  std::atomic<void*> context_{nullptr};
  std::atomic<size_t> first_{0};
  std::atomic<uint32_t> done_{0};
  std::atomic<uint32_t> sleepers_{0};
  std::atomic<bool> stop_{false};
  std::mutex mutex_;
  std::condition_variable wake_;
  std::vector<std::thread> workers_;
};

}  // namespace onefold
