#include "scheduler/store/notes.h"

#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "common/status.h"
#include "scheduler/store/codec.h"
#include "scheduler/store/keys.h"

namespace baton::store {

absl::StatusOr<std::vector<state::Note>> ReadNotes(const Reader& reader, absl::string_view job) {
  std::vector<state::Note> all;
  BATON_RETURN_IF_ERROR(reader.Scan(
      Table::kNotes, NotesPrefix(job), [&all](absl::string_view key, absl::string_view value) {
        absl::StatusOr<std::vector<state::Note>> notes = DecodeNotes(value);
        if (!notes.ok()) {
          return absl::DataLossError(absl::StrCat("table notes, key ", absl::CHexEscape(key), ": ",
                                                  notes.status().message()));
        }
        for (state::Note& note : *notes) all.push_back(std::move(note));
        return absl::OkStatus();
      }));
  return all;
}

}  // namespace baton::store
