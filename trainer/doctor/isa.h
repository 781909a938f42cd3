// Instruction sets of x86-64 CPUs by the words that DNNL_MAX_CPU_ISA and `cpu_isa` have.
#pragma once

#include <string>

#include "absl/strings/string_view.h"

namespace baton::trainer {

// The best of sse41, avx, avx2, avx512_core, .. that this CPU has; "" on others.
std::string IsaOfCpu();

// Of a CPU backend's identity ("cpu onednn 2.6.3 isa 0xe7 .."): "avx512_core_bf16"; the number
// where it has no word, "" where there is none.
std::string IsaOfIdentity(absl::string_view identity);

}  // namespace baton::trainer
