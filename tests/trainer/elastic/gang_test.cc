// A gang of one under a worker's socket: what it makes of what the board and the file say.
#include "trainer/elastic/gang.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <mutex>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/atomic_file.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"

namespace baton::trainer {
namespace {

using Json = nlohmann::json;

// A worker's board that knows of one newer generation, once it is told to say so.
class Board {
 public:
  explicit Board(const std::string& path) {
    listener_ = socket(AF_UNIX, SOCK_STREAM, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strcpy(address.sun_path, path.c_str());
    EXPECT_EQ(bind(listener_, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
    EXPECT_EQ(listen(listener_, 8), 0);
    acceptor_ = std::thread([this] { Accept(); });
  }
  ~Board() { Close(); }

  void Tell(int64_t generation) {
    const std::lock_guard<std::mutex> lock(mutex_);
    newest_ = generation;
    for (const auto& [fd, id] : waits_) Answer(fd, {{"id", id}, {"stale", generation}});
    waits_.clear();
  }

  std::vector<std::string> asked() {
    const std::lock_guard<std::mutex> lock(mutex_);
    return asked_;
  }

  void Close() {
    if (listener_ < 0) return;
    shutdown(listener_, SHUT_RDWR);
    acceptor_.join();
    close(listener_);
    listener_ = -1;
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      for (const int fd : open_) shutdown(fd, SHUT_RDWR);
    }
    for (std::thread& server : servers_) server.join();
  }

 private:
  void Accept() {
    for (int fd; (fd = accept(listener_, nullptr, nullptr)) >= 0;) {
      {
        const std::lock_guard<std::mutex> lock(mutex_);
        open_.push_back(fd);
      }
      servers_.emplace_back([this, fd] { Serve(fd); });
    }
  }

  static void Answer(int fd, const Json& answer) {
    const std::string line = answer.dump() + "\n";
    (void)!send(fd, line.data(), line.size(), MSG_NOSIGNAL);
  }

  void Serve(int fd) {
    std::string input;
    char chunk[1000];
    for (ssize_t n; (n = read(fd, chunk, sizeof(chunk))) > 0;) {
      input.append(chunk, static_cast<size_t>(n));
      for (size_t end; (end = input.find('\n')) != std::string::npos; input.erase(0, end + 1)) {
        Handle(fd, Json::parse(input.substr(0, end)));
      }
    }
  }

  void Handle(int fd, const Json& request) {
    const std::lock_guard<std::mutex> lock(mutex_);
    const std::string op = request["op"];
    asked_.push_back(absl::StrCat(op, " ", request["generation"].dump()));
    if (op != "wait") {
      Answer(fd, {{"id", request["id"]}, {"ok", true}});
    } else if (newest_ > request["generation"].get<int64_t>()) {
      Answer(fd, {{"id", request["id"]}, {"stale", newest_}});
    } else {
      waits_.emplace_back(fd, request["id"].get<int64_t>());
    }
  }

  int listener_;
  std::thread acceptor_;
  std::vector<std::thread> servers_;
  std::mutex mutex_;  // this and all below
  int64_t newest_ = 0;
  std::vector<std::pair<int, int64_t>> waits_;
  std::vector<std::string> asked_;
  std::vector<int> open_;
};

class CountingState : public SharedState {
 public:
  explicit CountingState(int64_t step) : step_(step) {}
  int64_t step() const override { return step_; }
  absl::StatusOr<uint64_t> Digest() override { return 1; }
  void LeaveGroup() override { ++left; }
  absl::StatusOr<Offer> MakeOffer() override { return absl::InternalError("asked for an offer"); }
  absl::StatusOr<std::vector<absl::Span<float>>> Stage(const std::string&) override {
    return absl::InternalError("offered something");
  }
  absl::Status Adopt() override { return absl::InternalError("adopts"); }

  int left = 0;

 private:
  const int64_t step_;
};

class GangTest : public testing::Test {
 protected:
  GangTest() : folder_(testing::TempDir() + "/gang-XXXXXX") {
    EXPECT_NE(mkdtemp(folder_.data()), nullptr);
    board_ = std::make_unique<Board>(folder_ + "/s");
    options_.membership_file = folder_ + "/m";
    options_.rendezvous = "unix:" + folder_ + "/s";
    options_.stop = &stop_;
  }
  ~GangTest() override { std::filesystem::remove_all(folder_); }

  // The one member is the process with that task number.
  void Write(int64_t generation, int task) {
    const std::string text = absl::StrCat(R"({"generation":)", generation,
                                          R"(,"world_size":1,"ranks":[{"rank":0,"task":)", task,
                                          R"(,"address":"127.0.0.1"}]})");
    EXPECT_TRUE(WriteFileAtomically(options_.membership_file, text).ok());
  }

  absl::StatusOr<std::unique_ptr<Gang>> Enter(SharedState& state) {
    options_.membership = *ReadMembership(options_.membership_file, options_.task);
    return EnterGang(options_, state);
  }

  static void AwaitChange(const Gang& gang) {
    while (!gang.changes()) std::this_thread::yield();
  }

  std::string folder_;
  std::atomic<bool> stop_{false};
  GangOptions options_;
  std::unique_ptr<Board> board_;
};

TEST_F(GangTest, ANewerGenerationIsHeardOfAndFormed) {
  Write(1, 0);
  CountingState state(7);
  auto gang = Enter(state);
  ASSERT_TRUE(gang.ok()) << gang.status();
  EXPECT_TRUE((*gang)->elastic());
  EXPECT_FALSE((*gang)->changes());
  EXPECT_EQ((*gang)->generation(), 1);
  Write(3, 0);
  board_->Tell(3);
  AwaitChange(**gang);
  EXPECT_EQ(state.left, 0);
  const auto place = (*gang)->Reform(absl::OkStatus(), state);
  ASSERT_TRUE(place.ok()) << place.status();
  EXPECT_EQ(*place, Gang::Place::kMember);
  EXPECT_EQ(state.left, 1);
  EXPECT_FALSE((*gang)->changes());
  EXPECT_EQ((*gang)->generation(), 3);
  EXPECT_EQ((*gang)->generation_step(), 7);
}

TEST_F(GangTest, WhoIsNotListedAnyMoreIsLetGo) {
  Write(1, 0);
  CountingState state(7);
  auto gang = Enter(state);
  ASSERT_TRUE(gang.ok()) << gang.status();
  Write(2, 5);
  board_->Tell(2);
  AwaitChange(**gang);
  const auto place = (*gang)->Reform(absl::OkStatus(), state);
  ASSERT_TRUE(place.ok()) << place.status();
  EXPECT_EQ(*place, Gang::Place::kLetGo);
}

TEST_F(GangTest, AJoinerSaysThatItIsReadyForEachGenerationThatIsNotItsOwn) {
  options_.task = 5;
  Write(1, 0);
  CountingState state(3);
  std::thread worker([&] {
    while (board_->asked().size() < 2) std::this_thread::yield();
    Write(2, 0);
    board_->Tell(2);
    while (!testing::Value(board_->asked(), testing::Contains("ready 2"))) {
      std::this_thread::yield();
    }
    Write(3, 5);
    board_->Tell(3);
  });
  auto gang = Enter(state);
  worker.join();
  ASSERT_TRUE(gang.ok()) << gang.status();
  EXPECT_EQ((*gang)->generation(), 3);
  EXPECT_THAT(board_->asked(), testing::Contains("ready 1"));
}

TEST_F(GangTest, WhereNobodyHasAStateNobodyGoesOn) {
  options_.task = 5;
  Write(1, 0);
  CountingState state(kNoState);
  std::thread worker([&] {
    while (!testing::Value(board_->asked(), testing::Contains("ready 1"))) {
      std::this_thread::yield();
    }
    Write(2, 5);
    board_->Tell(2);
  });
  const auto gang = Enter(state);
  worker.join();
  EXPECT_EQ(gang.status().code(), absl::StatusCode::kUnavailable) << gang.status();
}

TEST_F(GangTest, AStopAndAClosedBoardEndTheWaitForAGeneration) {
  Write(1, 0);
  CountingState state(7);
  auto gang = Enter(state);
  ASSERT_TRUE(gang.ok()) << gang.status();
  stop_ = true;
  EXPECT_EQ((*gang)->Reform(absl::OkStatus(), state).status().code(), absl::StatusCode::kCancelled);
  stop_ = false;
  board_->Close();
  EXPECT_EQ((*gang)->Reform(absl::OkStatus(), state).status().code(),
            absl::StatusCode::kUnavailable);
  EXPECT_EQ(state.left, 0);
}

TEST_F(GangTest, ARankAloneNeedsNoBoard) {
  Write(1, 0);
  board_->Close();
  CountingState state(7);
  auto gang = Enter(state);
  ASSERT_TRUE(gang.ok()) << gang.status();
  EXPECT_FALSE((*gang)->elastic());
  bool ran = false;
  EXPECT_TRUE((*gang)
                  ->FinishTogether([&] {
                    ran = true;
                    return absl::OkStatus();
                  })
                  .ok());
  EXPECT_TRUE(ran);
}

}  // namespace
}  // namespace baton::trainer
