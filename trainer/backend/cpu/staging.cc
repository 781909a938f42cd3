#include "trainer/backend/cpu/staging.h"

namespace baton::trainer::cpu {

dnnl::memory Staging::Bring(Context& context, const dnnl::memory& source,
                            const dnnl::memory::desc& wanted) {
  if (source.get_desc() == wanted) return source;
  return Copy(context, source, wanted, context.scratch.Take(wanted.get_size()));
}

dnnl::memory Staging::Bring(Context& context, const dnnl::memory& source,
                            const dnnl::memory::desc& wanted, Buffer& memory) {
  if (source.get_desc() == wanted) return source;
  return Copy(context, source, wanted, memory.Reserve(wanted.get_size()));
}

dnnl::memory Staging::Copy(Context& context, const dnnl::memory& source,
                           const dnnl::memory::desc& wanted, void* memory) {
  dnnl::memory copy(wanted, context.engine, memory);
  Reorder(context, source, copy);
  return copy;
}

dnnl::memory Staging::Prepare(Context& context, const dnnl::memory& target,
                              const dnnl::memory::desc& own) {
  if (target.get_desc() == own) return target;
  return dnnl::memory(own, context.engine, context.scratch.Take(own.get_size()));
}

void Staging::Deliver(Context& context, const dnnl::memory& own, const dnnl::memory& target) {
  if (target.get_desc() != own.get_desc()) Reorder(context, own, target);
}

void Staging::Reorder(Context& context, const dnnl::memory& from, const dnnl::memory& to) {
  if (!reorder_ || from.get_desc() != from_ || to.get_desc() != to_) {
    from_ = from.get_desc();
    to_ = to.get_desc();
    const dnnl::reorder::primitive_desc desc(context.engine, from_, context.engine, to_,
                                             Attributes());
    scratchpad_ = desc.scratchpad_desc();
    reorder_ = dnnl::reorder(desc);
  }
  context.Run(reorder_, scratchpad_, {{DNNL_ARG_FROM, from}, {DNNL_ARG_TO, to}});
}

}  // namespace baton::trainer::cpu
