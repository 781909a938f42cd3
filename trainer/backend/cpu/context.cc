#include "trainer/backend/cpu/context.h"

#include <utility>

// Declared here because <omp.h> lies in g++'s own folder, where clang does not look.
extern "C" int omp_get_max_threads();
extern "C" void omp_set_num_threads(int count);

namespace baton::trainer::cpu {

void UseOneThread() {
  if (omp_get_max_threads() != 1) omp_set_num_threads(1);
}

void Context::Run(const dnnl::primitive& primitive, const dnnl::memory::desc& scratchpad_desc,
                  std::unordered_map<int, dnnl::memory> arguments) {
  if (scratchpad_desc.get_size() > 0) {
    arguments[DNNL_ARG_SCRATCHPAD] =
        dnnl::memory(scratchpad_desc, engine, scratchpad.Reserve(scratchpad_desc.get_size()));
  }
  primitive.execute(stream, arguments);
  stream.wait();
}

dnnl::primitive_attr Attributes() {
  dnnl::primitive_attr attributes;
  attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  return attributes;
}

dnnl::primitive_attr AttributesWith(Activation activation) {
  dnnl::primitive_attr attributes = Attributes();
  if (activation == Activation::kRelu) {
    dnnl::post_ops operations;
    operations.append_eltwise(1.0f, dnnl::algorithm::eltwise_relu, 0.0f, 0.0f);
    attributes.set_post_ops(operations);
  }
  return attributes;
}

}  // namespace baton::trainer::cpu
