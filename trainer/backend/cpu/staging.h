// Brings values into the layout that a primitive wants.
#pragma once

#include "oneapi/dnnl/dnnl.hpp"
#include "trainer/backend/cpu/context.h"
#include "trainer/backend/cpu/tensor.h"

namespace baton::trainer::cpu {

// One place where a layout may have to change. Keeps the reorder of the layouts it saw last.
class Staging {
 public:
  // `source` itself when it has the layout `wanted`, else a copy in the context's scratch.
  dnnl::memory Bring(Context& context, const dnnl::memory& source,
                     const dnnl::memory::desc& wanted);
  // The same with the copy in `memory`, for who needs it after the operation's call.
  dnnl::memory Bring(Context& context, const dnnl::memory& source, const dnnl::memory::desc& wanted,
                     Buffer& memory);

  // Where to write a value of layout `own` that `Deliver` then puts into `target`: the target
  // itself when it has that layout, else in the context's scratch.
  dnnl::memory Prepare(Context& context, const dnnl::memory& target, const dnnl::memory::desc& own);
  void Deliver(Context& context, const dnnl::memory& own, const dnnl::memory& target);

 private:
  dnnl::memory Copy(Context& context, const dnnl::memory& source, const dnnl::memory::desc& wanted,
                    void* memory);
  void Reorder(Context& context, const dnnl::memory& from, const dnnl::memory& to);

  dnnl::memory::desc from_, to_, scratchpad_;
  dnnl::reorder reorder_;
};

}  // namespace baton::trainer::cpu
