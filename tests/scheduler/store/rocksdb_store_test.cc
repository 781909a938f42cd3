// The store on disk against what happens to disks and processes.
#include "scheduler/store/rocksdb_store.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/hash.h"
#include "common/ids.h"
#include "common/random.h"
#include "scheduler/store/disk_space.h"
#include "scheduler/store/keys.h"
#include "tests/scheduler/store/temporary_folder.h"

namespace baton::store {
namespace {

namespace fs = std::filesystem;

uint64_t DrawnSeed() {
  const char* given = std::getenv("BATON_SEED");
  const std::string drawn = RandomId();
  const uint64_t seed =
      given != nullptr ? std::strtoull(given, nullptr, 10) : Xxh3(drawn.data(), drawn.size());
  std::cout << "replay: BATON_SEED=" << seed << "\n";
  return seed;
}

Batch Small(uint64_t number) {
  Batch batch;
  batch.puts.push_back({Table::kJobs, NumberKey(number), absl::StrCat("value ", number)});
  return batch;
}

// ---- kill -9 ----

// A child that commits until it is killed.
class Committing {
 public:
  explicit Committing(const std::string& folder) {
    const std::string program =
        fs::read_symlink("/proc/self/exe").parent_path() / "scheduler_store_committer";
    int ends[2];
    EXPECT_EQ(pipe2(ends, O_CLOEXEC), 0);
    pid_ = fork();
    if (pid_ == 0) {
      dup2(ends[1], STDOUT_FILENO);
      execl(program.c_str(), program.c_str(), folder.c_str(), nullptr);
      _exit(127);
    }
    close(ends[1]);
    acknowledged_ = ends[0];
  }
  // Reads `count` acknowledgements, kills the child, and reads what it still managed to say.
  std::vector<std::string> KillAfter(uint64_t count) {
    std::vector<std::string> keys;
    std::string key(8, '\0');
    while (read(acknowledged_, key.data(), key.size()) == static_cast<ssize_t>(key.size())) {
      keys.push_back(key);
      if (keys.size() == count) kill(pid_, SIGKILL);
    }
    close(acknowledged_);
    int status = 0;
    waitpid(pid_, &status, 0);
    EXPECT_TRUE(WIFSIGNALED(status)) << "it ended by itself: " << status;
    return keys;
  }

 private:
  pid_t pid_ = 0;
  int acknowledged_ = -1;
};

TEST(RocksdbStoreTest, NothingAcknowledgedIsLostToKill9) {
  Random random(DrawnSeed());
  TemporaryFolder folder;
  std::vector<std::string> all;
  for (int round = 0; round < 8; ++round) {
    const std::vector<std::string> keys =
        Committing(folder.path()).KillAfter(1 + random.Below(200));
    ASSERT_FALSE(keys.empty());
    all.insert(all.end(), keys.begin(), keys.end());
    auto store = OpenRocksdbStore(folder.path());
    ASSERT_TRUE(store.ok()) << store.status();
    for (const std::string& key : all) {
      for (const Table table : {Table::kJobs, Table::kLog, Table::kNodes}) {
        ASSERT_TRUE((*store)->Get(table, key).ok()) << "acknowledged, and not in " << round;
      }
    }
    // What was under way is there as a whole or not at all.
    std::map<Table, int> records;
    for (const Table table : {Table::kJobs, Table::kLog, Table::kNodes}) {
      ASSERT_TRUE((*store)
                      ->Scan(table, "",
                             [&](absl::string_view, absl::string_view) {
                               ++records[table];
                               return absl::OkStatus();
                             })
                      .ok());
    }
    EXPECT_EQ(records[Table::kJobs], records[Table::kLog]);
    EXPECT_EQ(records[Table::kJobs], records[Table::kNodes]);
  }
}

// ---- refusals ----

TEST(RocksdbStoreTest, AFolderInUseIsRefusedInWords) {
  TemporaryFolder folder;
  auto store = OpenRocksdbStore(folder.path());
  ASSERT_TRUE(store.ok()) << store.status();
  const absl::Status second = OpenRocksdbStore(folder.path()).status();
  EXPECT_TRUE(absl::IsFailedPrecondition(second)) << second;
  EXPECT_TRUE(absl::StartsWith(second.message(), "another scheduler uses " + folder.path()))
      << second;
}

TEST(RocksdbStoreTest, AFolderOfAnotherProcessIsRefusedInWords) {
  TemporaryFolder folder;
  Committing other(folder.path());
  absl::Status second;
  // Until the child holds the lock the folder is free, and then this process holds it for a moment.
  while (!fs::exists(folder.path() + "/records/CURRENT")) usleep(1000);
  second = OpenRocksdbStore(folder.path()).status();
  EXPECT_TRUE(absl::IsFailedPrecondition(second)) << second;
  other.KillAfter(1);
}

TEST(RocksdbStoreTest, AMissingParentIsNamed) {
  const absl::Status status = OpenRocksdbStore("/no/such/folder").status();
  EXPECT_TRUE(absl::IsNotFound(status)) << status;
  EXPECT_TRUE(absl::StrContains(status.message(), "/no/such/folder"));
}

// ---- full disk ----

// Takes up room until only `free_bytes` are left.
void Ballast(const std::string& path, int64_t free_bytes) {
  const int file = open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  ASSERT_GE(file, 0) << std::strerror(errno);
  const std::string block(4096, 'b');
  while (DiskSpaceOf(path)->free_bytes > free_bytes) {
    if (write(file, block.data(), block.size()) != static_cast<ssize_t>(block.size())) break;
  }
  close(file);
}

TEST(RocksdbStoreTest, TheReserveLetsCancelsAndEndsThrough) {
  TemporaryFolder disk(64 << 20);
  auto opened = OpenRocksdbStore(disk.path() + "/state");
  ASSERT_TRUE(opened.ok()) << opened.status();
  Store& store = **opened;
  const uint64_t term = *store.TakeTerm();
  const std::string reserve = disk.path() + "/state/reserve";
  ASSERT_TRUE(fs::exists(reserve));
  EXPECT_GT(*store.FreeFraction(), 0.5);

  Ballast(disk.path() + "/ballast", 1 << 20);
  EXPECT_LT(*store.FreeFraction(), 0.05) << "now the edge refuses submits";
  for (uint64_t number = 0; number < 2000; ++number) {
    ASSERT_TRUE(store.Commit(term, {Small(number)}).ok()) << number;
  }
  EXPECT_FALSE(fs::exists(reserve));

  fs::remove(disk.path() + "/ballast");
  ASSERT_TRUE(store.Commit(term, {Small(1)}).ok());
  EXPECT_TRUE(fs::exists(reserve)) << "made anew when there is room";
}

TEST(RocksdbStoreTest, AFullDiskIsSaidAndNothingAcknowledgedIsLost) {
  TemporaryFolder disk(48 << 20);
  const std::string folder = disk.path() + "/state";
  uint64_t acknowledged = 0;
  {
    auto opened = OpenRocksdbStore(folder);
    ASSERT_TRUE(opened.ok()) << opened.status();
    Store& store = **opened;
    const uint64_t term = *store.TakeTerm();
    Ballast(disk.path() + "/ballast", 3 << 20);
    absl::Status status;
    while (status.ok() && acknowledged < 2000) {
      Batch batch = Small(acknowledged);
      // Bytes that no compression makes small.
      Random random(acknowledged);
      std::string noise(10'000, '\0');
      for (char& c : noise) c = static_cast<char>(random.Next());
      batch.puts.push_back({Table::kLog, NumberKey(acknowledged), noise});
      status = store.Commit(term, {batch});
      if (status.ok()) ++acknowledged;
    }
    EXPECT_TRUE(absl::IsResourceExhausted(status)) << status;
    EXPECT_TRUE(absl::StrContains(status.message(), "is full: free some room")) << status;
    fs::remove(disk.path() + "/ballast");
    EXPECT_EQ(store.Commit(term, {Small(0)}), status) << "the first error is kept";
  }
  EXPECT_GT(acknowledged, 100u);
  auto again = OpenRocksdbStore(folder);
  ASSERT_TRUE(again.ok()) << again.status();
  for (uint64_t number = 0; number < acknowledged; ++number) {
    EXPECT_EQ(*(*again)->Get(Table::kJobs, NumberKey(number)), absl::StrCat("value ", number));
  }
  EXPECT_TRUE((*again)->TakeTerm().ok());
}

TEST(RocksdbStoreTest, OpeningOnAFullDiskSaysSo) {
  TemporaryFolder disk(8 << 20);
  Ballast(disk.path() + "/ballast", 0);
  const absl::Status status = OpenRocksdbStore(disk.path() + "/state").status();
  EXPECT_TRUE(absl::IsResourceExhausted(status)) << status;
}

// ---- damage ----

absl::StatusOr<std::map<std::string, std::string>> ReadAll(const std::string& folder) {
  auto store = OpenRocksdbStore(folder, {.reserve_bytes = 0});
  if (!store.ok()) return store.status();
  std::map<std::string, std::string> records;
  for (const Table table : kTables) {
    const absl::Status status =
        (*store)->Scan(table, "", [&](absl::string_view key, absl::string_view value) {
          records.emplace(absl::StrCat(TableName(table), "/", key), std::string(value));
          return absl::OkStatus();
        });
    if (!status.ok()) return status;
  }
  return records;
}

// Flips one random bit of one random file of a copy, many times: all is read as it was, or an error
// is told; never other records, and never fewer.
void FlipBits(const std::string& folder, Random& random, int flips) {
  const std::string copy = folder + "-copy";
  fs::copy(folder, copy, fs::copy_options::recursive);
  const auto whole = ReadAll(copy);
  ASSERT_TRUE(whole.ok()) << whole.status();
  ASSERT_GT(whole->size(), 100u);
  int seen = 0;
  for (int flip = 0; flip < flips; ++flip) {
    fs::remove_all(copy);
    fs::copy(folder, copy, fs::copy_options::recursive);
    std::vector<std::string> files;
    for (const auto& entry : fs::recursive_directory_iterator(copy)) {
      if (entry.is_regular_file() && entry.file_size() > 0) files.push_back(entry.path());
    }
    std::sort(files.begin(), files.end());
    const std::string path = files[random.Below(files.size())];
    const uint64_t at = random.Below(fs::file_size(path));
    std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
    file.seekg(static_cast<std::streamoff>(at));
    const char byte = static_cast<char>(file.get() ^ (1 << random.Below(8)));
    file.seekp(static_cast<std::streamoff>(at));
    file.put(byte);
    file.close();
    const auto damaged = ReadAll(copy);
    if (damaged.ok()) {
      EXPECT_TRUE(*damaged == *whole) << path << " at byte " << at;
    } else {
      EXPECT_TRUE(absl::IsDataLoss(damaged.status())) << path << ": " << damaged.status();
      ++seen;
    }
  }
  std::cout << seen << " of " << flips << " flips were told as errors\n";
  EXPECT_GT(seen, flips / 10);
  fs::remove_all(copy);
}

TEST(RocksdbStoreTest, AFlippedBitIsToldNeverRead) {
  Random random(DrawnSeed());
  TemporaryFolder folder;
  const std::string state = folder.path() + "/state";
  {
    auto store = OpenRocksdbStore(state, {.reserve_bytes = 0});
    ASSERT_TRUE(store.ok());
    const uint64_t term = *(*store)->TakeTerm();
    for (uint64_t number = 0; number < 200; ++number) {
      ASSERT_TRUE((*store)->Commit(term, {Small(number)}).ok());
    }
  }
  FlipBits(state, random, 100);
}

TEST(RocksdbStoreTest, ACutOffLogIsToldWhenMoreWasAcknowledged) {
  TemporaryFolder folder;
  {
    auto store = OpenRocksdbStore(folder.path());
    ASSERT_TRUE(store.ok());
    const uint64_t term = *(*store)->TakeTerm();
    for (uint64_t number = 0; number < 20; ++number) {
      ASSERT_TRUE((*store)->Commit(term, {Small(number)}).ok());
    }
  }
  int logs = 0;
  for (const auto& entry : fs::directory_iterator(folder.path() + "/records")) {
    if (entry.path().extension() != ".log") continue;
    fs::resize_file(entry.path(), entry.file_size() - 3);
    ++logs;
  }
  ASSERT_EQ(logs, 1);
  const absl::Status status = OpenRocksdbStore(folder.path()).status();
  EXPECT_TRUE(absl::IsDataLoss(status)) << status;
  EXPECT_TRUE(absl::StrContains(status.message(), "changes that were acknowledged are missing"));
  fs::remove(folder.path() + "/acknowledged");
  EXPECT_TRUE(OpenRocksdbStore(folder.path()).ok());
}

// What reads like a crash in the middle of making the tables must not cost one of them.
TEST(RocksdbStoreTest, ACutOffManifestIsTold) {
  TemporaryFolder folder;
  {
    auto store = OpenRocksdbStore(folder.path());
    ASSERT_TRUE(store.ok());
    ASSERT_TRUE((*store)->TakeTerm().ok());
  }
  int manifests = 0;
  for (const auto& entry : fs::directory_iterator(folder.path() + "/records")) {
    if (!absl::StartsWith(entry.path().filename().string(), "MANIFEST")) continue;
    fs::resize_file(entry.path(), entry.file_size() - 3);
    ++manifests;
  }
  ASSERT_EQ(manifests, 1);
  const absl::Status status = OpenRocksdbStore(folder.path()).status();
  EXPECT_TRUE(absl::IsDataLoss(status)) << status;
  EXPECT_TRUE(absl::StrContains(status.message(), "is missing from the state")) << status;
}

}  // namespace
}  // namespace baton::store
