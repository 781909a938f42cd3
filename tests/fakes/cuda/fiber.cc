#include "tests/fakes/cuda/fiber.h"

#include <sys/mman.h>

#include <cstdint>
#include <utility>

#include "tests/fakes/cuda/card.h"

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define BATON_FAKE_ASAN 1
#include <sanitizer/common_interface_defs.h>
#endif
#if __has_feature(thread_sanitizer)
#define BATON_FAKE_TSAN 1
#include <sanitizer/tsan_interface.h>
#endif
#endif

// Saves what the calling convention wants kept, and goes on where `to` was left.
extern "C" void BatonFakeCudaSwitch(void** from, void* to);
asm(R"(
.text
.globl BatonFakeCudaSwitch
.hidden BatonFakeCudaSwitch
.type BatonFakeCudaSwitch, @function
BatonFakeCudaSwitch:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
.size BatonFakeCudaSwitch, .-BatonFakeCudaSwitch
)");

namespace baton::fake_cuda {
namespace {

constexpr size_t kStack = size_t{256} << 10;  // pages that are not touched cost nothing
thread_local Fiber* entering = nullptr;

}  // namespace

Fiber::Fiber() {
  void* stack = mmap(nullptr, kStack, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (stack == MAP_FAILED) Violation("no memory for a thread of a kernel");
  stack_ = static_cast<unsigned char*>(stack);
#ifdef BATON_FAKE_TSAN
  own_shadow_ = __tsan_create_fiber(0);
#endif
  // As if it had been left at Main's first instruction: six registers, then where to go on. Main
  // finds the stack as behind a call: 8 beside a multiple of 16.
  auto** top = reinterpret_cast<void**>(stack_ + kStack) - 8;
  for (int i = 0; i < 6; ++i) top[i] = nullptr;
  top[6] = reinterpret_cast<void*>(&Fiber::Main);
  top[7] = nullptr;
  own_ = top;
}

Fiber::~Fiber() {
#ifdef BATON_FAKE_TSAN
  __tsan_destroy_fiber(own_shadow_);
#endif
  munmap(stack_, kStack);
}

void Fiber::Begin(std::function<void()> body) {
  body_ = std::move(body);
  done_ = false;
}

void Fiber::Main() {
  Fiber* self = entering;
  while (true) {
#ifdef BATON_FAKE_ASAN
    __sanitizer_finish_switch_fiber(self->own_shadow_, &self->caller_stack_, &self->caller_size_);
#endif
    self->body_();
    self->done_ = true;
    self->Switch(&self->own_, self->caller_, false);
  }
}

// After a switch into a fiber that was left in Leave, that goes on behind its own Switch.
void Fiber::Switch(void** from, void* to, bool into) {
#ifdef BATON_FAKE_ASAN
  if (into) {
    __sanitizer_start_switch_fiber(&caller_shadow_, stack_, kStack);
  } else {
    __sanitizer_start_switch_fiber(&own_shadow_, caller_stack_, caller_size_);
  }
#endif
#ifdef BATON_FAKE_TSAN
  if (into) caller_shadow_ = __tsan_get_current_fiber();
  __tsan_switch_to_fiber(into ? own_shadow_ : caller_shadow_, 0);
#endif
  static_cast<void>(into);
  BatonFakeCudaSwitch(from, to);
#ifdef BATON_FAKE_ASAN
  if (into) __sanitizer_finish_switch_fiber(caller_shadow_, nullptr, nullptr);
#endif
}

void Fiber::Resume() {
  entering = this;
  Switch(&caller_, own_, true);
}

void Fiber::Leave() {
  Switch(&own_, caller_, false);
#ifdef BATON_FAKE_ASAN
  __sanitizer_finish_switch_fiber(own_shadow_, &caller_stack_, &caller_size_);
#endif
}

}  // namespace baton::fake_cuda
