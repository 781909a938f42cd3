// scheduler_store_committer FOLDER: commits until it is killed and writes the number of each commit
// to stdout (8 bytes) once it is acknowledged. For rocksdb_store_test.
#include <unistd.h>

#include <cstdint>
#include <iostream>
#include <string>

#include "absl/strings/str_cat.h"
#include "scheduler/store/keys.h"
#include "scheduler/store/rocksdb_store.h"

int main(int argc, char** argv) {
  using baton::store::Batch;
  using baton::store::NumberKey;
  using baton::store::Table;
  if (argc != 2) return 2;
  auto store = baton::store::OpenRocksdbStore(argv[1]);
  if (!store.ok()) {
    std::cerr << store.status() << "\n";
    return 1;
  }
  const auto term = (*store)->TakeTerm();
  if (!term.ok()) return 1;
  for (uint64_t number = 1;; ++number) {
    // Two batches over three tables: all of a commit, or nothing.
    const std::string key = NumberKey(*term * 1'000'000 + number);
    Batch first;
    first.puts.push_back({Table::kJobs, key, std::string(number % 5000, 'j')});
    first.puts.push_back({Table::kLog, key, absl::StrCat(number)});
    Batch second;
    second.puts.push_back({Table::kNodes, key, std::string(number % 300, 'n')});
    if (!(*store)->Commit(*term, {first, second}).ok()) return 1;
    if (write(STDOUT_FILENO, key.data(), key.size()) != static_cast<ssize_t>(key.size())) return 1;
  }
}
