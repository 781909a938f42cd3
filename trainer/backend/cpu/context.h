// What all operations of one stream share, and the border to oneDNN: its exceptions end here.
#pragma once

#include <unordered_map>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "oneapi/dnnl/dnnl.hpp"
#include "trainer/backend/cpu/scratch.h"
#include "trainer/backend/cpu/tensor.h"

namespace baton::trainer::cpu {

// A thread of ours computes alone: with more OpenMP threads the same sums come in another order,
// hence other bits, and on busy cores slower. The setting belongs to the calling thread, so every
// entry makes it anew; primitives must also be created under it.
void UseOneThread();

struct Context {
  dnnl::engine engine{dnnl::engine::kind::cpu, 0};
  dnnl::stream stream{engine};
  Scratch scratch;    // of the operation that runs
  Buffer scratchpad;  // of the primitive that runs; oneDNN's own would be tied to a thread

  // `scratchpad_desc` is the primitive descriptor's.
  void Run(const dnnl::primitive& primitive, const dnnl::memory::desc& scratchpad_desc,
           std::unordered_map<int, dnnl::memory> arguments);
};

// Attributes of every primitive: the scratchpad is passed by Run.
dnnl::primitive_attr Attributes();

// As above, and y = max(y, 0) at the end when `activation` says so.
dnnl::primitive_attr AttributesWith(Activation activation);

// Runs `body`, which may throw dnnl::error, on one thread.
template <class Body>
absl::Status Guarded(const char* operation, const Body& body) {
  UseOneThread();
  try {
    body();
  } catch (const dnnl::error& error) {
    if (error.status == dnnl_out_of_memory) {
      return absl::ResourceExhaustedError(absl::StrCat("out of memory in ", operation));
    }
    return absl::InternalError(absl::StrCat("oneDNN failed in ", operation, ": ", error.what()));
  }
  return absl::OkStatus();
}

}  // namespace baton::trainer::cpu
