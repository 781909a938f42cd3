// Instruction sets of x86-64 CPUs by oneDNN's words, which a spec's `cpu_isa` has, too.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace baton::trainer {

// The best of sse41, avx, avx2, avx512_core, .. that this CPU has; "" on others.
std::string IsaOfCpu();

// Of a CPU backend's identity ("cpu onednn 2.6.3 isa 0xe7 .."): "avx512_core_bf16"; the number
// where it has no word, "" where there is none.
std::string IsaOfIdentity(absl::string_view identity);

// Makes the CPU backend compute with no more than `isa` ("any": with what there is). Before it is
// loaded, which reads that once; the own kernels give the same bits on all (numeric/wide.h).
void PinIsa(const std::string& isa);

// FAILED_PRECONDITION when a backend, by its identity, computes with another than the pinned one:
// the CPU has less. One that has no instruction set (a card's) fits.
absl::Status CheckPinned(const std::string& isa, absl::string_view identity);

// What makes two CPUs agree again that compute with other instruction sets; "" when they don't.
std::string IsaHint(absl::string_view identity, absl::string_view other);

}  // namespace baton::trainer
