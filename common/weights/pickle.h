// Python's pickles, as far as tables of tensors need them. Nothing is executed: a pickle says which
// functions to call, and this reader only notes the few that it knows.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace baton::weights {

// Values refer to each other by number, in whatever shape a stranger gives them: cycles too.
struct PickleValue {
  enum class Kind {
    kNone,
    kBool,     // number
    kInt,      // number
    kLong,     // text: an integer of more than 64 bits, its bytes
    kFloat,    // its value is of no interest here
    kText,     // text; bytes too
    kTuple,    // items
    kList,     // items
    kDict,     // items: key, value, key, value, ..
    kGlobal,   // text: "module.name", as given: one of `globals`
    kCall,     // items: the global, the tuple of its arguments
    kOutside,  // items: the persistent id, by which a pickle names what lies outside of it
  };
  Kind kind = Kind::kNone;
  int64_t number = 0;
  std::string text;
  std::vector<uint32_t> items;
};

struct Pickle {
  std::vector<PickleValue> values;
  uint32_t root = 0;
  size_t bytes = 0;  // of the text that it took

  const PickleValue& at(uint32_t index) const { return values[index]; }
};

// The pickle that `text` begins with. INVALID_ARGUMENT: what is wrong and at which byte; an
// operation that no table of tensors has; a global that `is_known` refuses, by its name. Time and
// memory are bounded by the length of the text.
absl::StatusOr<Pickle> ReadPickle(absl::string_view text,
                                  bool (*is_known)(absl::string_view global));

}  // namespace baton::weights
