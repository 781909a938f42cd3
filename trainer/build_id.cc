#include "trainer/build_id.h"

#include <link.h>

#include <cstdint>
#include <cstring>

#include "absl/strings/escaping.h"

namespace baton::trainer {
namespace {

constexpr size_t Aligned(size_t size) { return (size + 3) / 4 * 4; }

// The build id among the notes of one segment; empty when it is not there (elf(5), "Notes").
std::string FindInNotes(const char* notes, size_t size) {
  constexpr char kGnu[] = "GNU";
  while (size >= sizeof(ElfW(Nhdr))) {
    ElfW(Nhdr) note;
    std::memcpy(&note, notes, sizeof(note));
    const char* name = notes + sizeof(note);
    const char* value = name + Aligned(note.n_namesz);
    const size_t whole = sizeof(note) + Aligned(note.n_namesz) + Aligned(note.n_descsz);
    if (whole > size) return "";
    if (note.n_type == NT_GNU_BUILD_ID && note.n_namesz == sizeof(kGnu) &&
        std::memcmp(name, kGnu, sizeof(kGnu)) == 0) {
      return absl::BytesToHexString(absl::string_view(value, note.n_descsz));
    }
    notes += whole;
    size -= whole;
  }
  return "";
}

struct Search {
  uintptr_t address;
  std::string id;
};

bool Holds(const dl_phdr_info& info, uintptr_t address) {
  for (int i = 0; i < info.dlpi_phnum; ++i) {
    const ElfW(Phdr)& header = info.dlpi_phdr[i];
    const uintptr_t begin = info.dlpi_addr + header.p_vaddr;
    if (header.p_type == PT_LOAD && address >= begin && address - begin < header.p_memsz) {
      return true;
    }
  }
  return false;
}

// Called for each loaded object, until it answers other than 0.
int VisitObject(dl_phdr_info* info, size_t, void* argument) {
  Search& search = *static_cast<Search*>(argument);
  if (!Holds(*info, search.address)) return 0;
  for (int i = 0; i < info->dlpi_phnum; ++i) {
    const ElfW(Phdr)& header = info->dlpi_phdr[i];
    if (header.p_type != PT_NOTE) continue;
    // The loader's word is a number. NOLINTNEXTLINE(performance-no-int-to-ptr)
    const auto* notes = reinterpret_cast<const char*>(info->dlpi_addr + header.p_vaddr);
    const std::string id = FindInNotes(notes, header.p_memsz);
    if (!id.empty()) search.id = id;
  }
  return 1;
}

}  // namespace

std::string BuildIdOf(const void* address) {
  Search search{reinterpret_cast<uintptr_t>(address), ""};
  dl_iterate_phdr(VisitObject, &search);
  return search.id.empty() ? "unknown" : search.id;
}

}  // namespace baton::trainer
