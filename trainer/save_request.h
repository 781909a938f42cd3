// The file by which somebody asks for a checkpoint (BATON_SAVE_FILE, common/contract.h).
#pragma once

#include <cstdint>
#include <string>

#include "common/clock.h"

namespace baton::trainer {

// Not thread-safe.
class SaveRequest {
 public:
  // An empty path: nobody ever asks. A file that is there from the beginning has been heeded by
  // whoever ran before.
  SaveRequest(std::string path, const Clock& clock);

  // True once for each time that the file appeared or was replaced. Looks at most every 50 ms.
  bool Asked();

 private:
  // Differs for each file that has the name; 0: there is none.
  uint64_t Mark() const;

  const std::string path_;
  const Clock& clock_;
  uint64_t seen_;
  int64_t looked_ms_;
};

}  // namespace baton::trainer
