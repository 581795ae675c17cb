#include "thread-pool.hpp"

#include <algorithm>

namespace onefold {
namespace {

constexpr uint32_t TASK_BITS = 20;
constexpr uint32_t MAX_TASKS = (1u << TASK_BITS) - 1;
constexpr int WORKER_SPINS = 2000;
constexpr int CALLER_SPINS = 20000;

uint32_t nextTask(uint64_t state) { return state & MAX_TASKS; }
uint32_t taskCount(uint64_t state) { return (state >> TASK_BITS) & MAX_TASKS; }

void pause() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

}  // namespace

ThreadPool::ThreadPool(unsigned threads) {
  workers_.reserve(threads);
  try {
    for (unsigned thread = 1; thread < threads; ++thread) workers_.emplace_back([this, thread] { serve(thread); });
  } catch (const std::system_error&) {
    // Fewer threads than asked for give the same results.
  }
}

ThreadPool::~ThreadPool() {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    stop_ = true;
  }
  wake_.notify_all();
  for (std::thread& worker : workers_) worker.join();
}

void ThreadPool::runAll(size_t tasks, Function function, void* context) {
  if (tasks <= 1 || workers_.empty()) {
    for (size_t task = 0; task < tasks; ++task) function(context, task, 0);
    return;
  }
  for (size_t first = 0; first < tasks; first += MAX_TASKS) {
    first_.store(first);
    runSome(static_cast<uint32_t>(std::min<size_t>(tasks - first, MAX_TASKS)), function, context);
  }
}

void ThreadPool::runSome(uint32_t tasks, Function function, void* context) {
  function_.store(function);
  context_.store(context);
  done_.store(0);
  const uint64_t job = (state_.load() >> (2 * TASK_BITS)) + 1;
  state_.store((job << (2 * TASK_BITS)) | (static_cast<uint64_t>(tasks) << TASK_BITS));
  if (sleepers_.load() > 0) {
    { std::lock_guard<std::mutex> lock(mutex_); }
    wake_.notify_all();
  }
  while (takeTask(0)) {
  }
  for (int spin = 0; done_.load() < tasks; ++spin) {
    if (spin < CALLER_SPINS) pause();
    else std::this_thread::yield();
  }
}

bool ThreadPool::takeTask(unsigned thread) {
  uint64_t state = state_.load();
  while (nextTask(state) < taskCount(state)) {
    // Read before the swap: it succeeds only while this job is the current one.
    const Function function = function_.load();
    void* const context = context_.load();
    const size_t first = first_.load();
    if (state_.compare_exchange_weak(state, state + 1)) {
      function(context, first + nextTask(state), thread);
      done_.fetch_add(1);
      return true;
    }
  }
  return false;
}

void ThreadPool::serve(unsigned thread) {
  for (int spin = 0; !stop_.load(std::memory_order_relaxed);) {
    if (takeTask(thread)) {
      spin = 0;
    } else if (++spin < WORKER_SPINS) {
      pause();
    } else {
      std::unique_lock<std::mutex> lock(mutex_);
      sleepers_.fetch_add(1);
      wake_.wait(lock, [this] {
        const uint64_t state = state_.load();
        return stop_.load() || nextTask(state) < taskCount(state);
      });
      sleepers_.fetch_sub(1);
      spin = 0;
    }
  }
}

}  // namespace onefold
