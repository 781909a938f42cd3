// Runs pieces of work that may take seconds or hours, each at once: a long one keeps none that
// comes after it waiting.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>

namespace baton::worker {

// Thread-safe.
class Crew {
 public:
  struct Options {
    size_t idle_max = 12;       // threads that stay for the next piece
    size_t threads_max = 2000;  // beyond that pieces wait, and so where the system gives no more
  };

  explicit Crew(const Options& options);
  // Drops what has not begun and waits for the rest.
  ~Crew();
  Crew(const Crew&) = delete;
  Crew& operator=(const Crew&) = delete;

  // One that throws is given up, and the log says why; whoever waits for its answer catches that
  // itself.
  void Run(std::function<void()> piece);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace baton::worker
