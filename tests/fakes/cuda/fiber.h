// A stack of its own for code that is left and come back to, within one thread.
#pragma once

#include <cstddef>
#include <functional>

namespace baton::fake_cuda {

class Fiber {
 public:
  // `body` runs at each Resume that finds it not begun; when it returns, the fiber can be used
  // again.
  Fiber();
  ~Fiber();
  Fiber(const Fiber&) = delete;
  Fiber& operator=(const Fiber&) = delete;

  void Begin(std::function<void()> body);
  // Runs it until it leaves or is done.
  void Resume();
  // From inside: back to whoever resumed it.
  void Leave();
  bool done() const { return done_; }

 private:
  static void Main();
  void Switch(void** from, void* to, bool into);

  std::function<void()> body_;
  bool done_ = true;
  unsigned char* stack_;
  void* own_ = nullptr;     // stack pointer while it is left
  void* caller_ = nullptr;  // that of whoever resumed it
  // What the sanitizers keep for each stack.
  void* own_shadow_ = nullptr;
  void* caller_shadow_ = nullptr;
  const void* caller_stack_ = nullptr;
  size_t caller_size_ = 0;
};

}  // namespace baton::fake_cuda
