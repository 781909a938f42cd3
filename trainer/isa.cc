#include "trainer/isa.h"

#include <array>
#include <cstdint>
#include <cstdlib>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace baton::trainer {
namespace {

struct Isa {
  uint32_t bits;  // dnnl_cpu_isa_t
  const char* word;
};
constexpr std::array<Isa, 8> kIsas = {{{0x1, "sse41"},
                                       {0x3, "avx"},
                                       {0x7, "avx2"},
                                       {0x407, "avx2_vnni"},
                                       {0x27, "avx512_core"},
                                       {0x67, "avx512_core_vnni"},
                                       {0xe7, "avx512_core_bf16"},
                                       {0x3e7, "avx512_core_amx"}}};

}  // namespace

std::string IsaOfCpu() {
#if defined(__x86_64__)
  const bool avx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                      __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq");
  if (avx512 && __builtin_cpu_supports("avx512bf16")) return "avx512_core_bf16";
  if (avx512 && __builtin_cpu_supports("avx512vnni")) return "avx512_core_vnni";
  if (avx512) return "avx512_core";
  if (__builtin_cpu_supports("avx2")) return "avx2";
  if (__builtin_cpu_supports("avx")) return "avx";
  if (__builtin_cpu_supports("sse4.1")) return "sse41";
#endif
  return "";
}

std::string IsaOfIdentity(absl::string_view identity) {
  const std::vector<absl::string_view> words = absl::StrSplit(identity, ' ');
  for (size_t i = 0; i + 1 < words.size(); ++i) {
    if (words[i] != "isa") continue;
    uint32_t bits = 0;
    if (!absl::SimpleHexAtoi(words[i + 1], &bits)) return std::string(words[i + 1]);
    for (const Isa& isa : kIsas) {
      if (isa.bits == bits) return isa.word;
    }
    return std::string(words[i + 1]);
  }
  return "";
}

void PinIsa(const std::string& isa) {
  if (isa != "any") setenv("DNNL_MAX_CPU_ISA", absl::AsciiStrToUpper(isa).c_str(), 1);
}

absl::Status CheckPinned(const std::string& isa, absl::string_view identity) {
  const std::string found = IsaOfIdentity(identity);
  if (isa == "any" || found.empty() || found == isa) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat(
      "cpu_isa: ", isa, " is not what computes here, ", found, " is: this CPU has no more; pin ",
      "what all CPUs of the job have, e.g. cpu_isa: avx2"));
}

std::string IsaHint(absl::string_view identity, absl::string_view other) {
  const std::string a = IsaOfIdentity(identity), b = IsaOfIdentity(other);
  if (a == b || a.empty() || b.empty()) return "";
  return absl::StrCat(" (", a, " there, ", b, " here: `cpu_isa: avx2` in the spec from the begin ",
                      "makes unlike CPUs compute alike)");
}

}  // namespace baton::trainer
