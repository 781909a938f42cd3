#include "scheduler/store/store.h"

namespace baton::store {

absl::string_view TableName(Table table) {
  switch (table) {
    case Table::kMeta:
      return "meta";
    case Table::kJobs:
      return "jobs";
    case Table::kNodes:
      return "nodes";
    case Table::kLog:
      return "log";
    case Table::kUndo:
      return "undo";
    case Table::kNotes:
      return "notes";
    case Table::kShared:
      return "shared";
  }
  return "unknown";
}

}  // namespace baton::store
