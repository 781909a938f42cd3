#include "worker/link/rendezvous.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <chrono>
#include <condition_variable>
#include <cstring>
#include <filesystem>
#include <mutex>
#include <vector>

#include "worker/link/rendezvous_line.h"

namespace baton::worker {
namespace {

const TaskKey kKey{"job1", 1, 0, 7};

class RendezvousTest : public testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/baton-rv-XXXXXX";
    ASSERT_NE(mkdtemp(name), nullptr);
    folder_ = name;
    auto made = Rendezvous::Create(folder_, [this](const v1::RendezvousRequest& request) {
      std::lock_guard<std::mutex> lock(mutex_);
      requests_.push_back(request);
      changed_.notify_all();
    });
    ASSERT_TRUE(made.ok());
    rendezvous_ = *std::move(made);
    const auto path = rendezvous_->Add(kKey, 2);
    ASSERT_TRUE(path.ok());
    path_ = *path;
    client_ = Connect();
  }
  void TearDown() override {
    close(client_);
    rendezvous_.reset();
    std::filesystem::remove_all(folder_);
  }

  int Connect() {
    const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    strncpy(address.sun_path, path_.c_str(), sizeof(address.sun_path) - 1);
    EXPECT_EQ(connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
    return fd;
  }
  void Say(const std::string& line) {
    const std::string text = line + "\n";
    ASSERT_EQ(write(client_, text.data(), text.size()), static_cast<ssize_t>(text.size()));
  }
  std::string Hear() {
    std::string line;
    char c = 0;
    while (read(client_, &c, 1) == 1 && c != '\n') line += c;
    return line;
  }
  std::vector<v1::RendezvousRequest> Await(size_t count) {
    std::unique_lock<std::mutex> lock(mutex_);
    changed_.wait_for(lock, std::chrono::seconds(20), [&] { return requests_.size() >= count; });
    return requests_;
  }

  std::string folder_;
  std::string path_;
  int client_ = -1;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<v1::RendezvousRequest> requests_;
  std::unique_ptr<Rendezvous> rendezvous_;
};

TEST_F(RendezvousTest, SetIsTakenAndWaitIsAnsweredByTheScheduler) {
  Say(R"({"id":1,"op":"set","generation":2,"key":"a","value":"x"})");
  EXPECT_EQ(Hear(), R"({"id":1,"ok":true})");
  Say(R"({"id":2,"op":"wait","generation":2,"key":"b"})");
  const auto requests = Await(2);
  ASSERT_EQ(requests.size(), 2u);
  EXPECT_EQ(requests[0].value(), "x");
  EXPECT_EQ(requests[0].task().job_id(), "job1");
  EXPECT_EQ(requests[1].op(), v1::RendezvousRequest::WAIT);
  v1::RendezvousAnswer answer;
  answer.set_id(requests[1].id());
  answer.set_value("y");
  rendezvous_->OnAnswer(answer);
  EXPECT_EQ(Hear(), R"({"id":2,"value":"y"})");
}

TEST_F(RendezvousTest, StaleLostAndErrorsAreHandedOn) {
  for (int id = 1; id <= 3; ++id) {
    Say(R"({"id":)" + std::to_string(id) + R"(,"op":"wait","generation":2,"key":"b"})");
  }
  const auto requests = Await(3);
  ASSERT_EQ(requests.size(), 3u);
  v1::RendezvousAnswer answer;
  answer.set_id(requests[0].id());
  answer.set_stale_generation(2);
  rendezvous_->OnAnswer(answer);
  EXPECT_EQ(Hear(), R"({"id":1,"stale":2})");
  answer.Clear();
  answer.set_id(requests[1].id());
  answer.set_lost(true);
  answer.set_lost_rank(0);
  rendezvous_->OnAnswer(answer);
  EXPECT_EQ(Hear(), R"({"id":2,"lost":0})");
  answer.Clear();
  answer.set_id(requests[2].id());
  answer.set_error("gone");
  rendezvous_->OnAnswer(answer);
  EXPECT_EQ(Hear(), R"({"error":"gone","id":3})");
}

TEST_F(RendezvousTest, ASchedulerThatComesBackIsToldAgain) {
  Say(R"({"id":1,"op":"set","generation":1,"key":"old","value":"x"})");
  Hear();
  Say(R"({"id":2,"op":"set","generation":2,"key":"new","value":"y"})");
  Hear();
  Say(R"({"id":3,"op":"lost","generation":2,"rank":1})");
  Hear();
  Say(R"({"id":4,"op":"wait","generation":2,"key":"b"})");
  Await(4);
  rendezvous_->Resend();
  const auto requests = Await(7);
  ASSERT_EQ(requests.size(), 7u) << "the keys of the newest generation, the loss and the wait";
  EXPECT_EQ(requests[6].op(), v1::RendezvousRequest::WAIT);
  EXPECT_EQ(requests[6].id(), requests[3].id());
  for (size_t i = 4; i < 6; ++i) EXPECT_EQ(requests[i].generation(), 2u);
}

TEST_F(RendezvousTest, BadLinesAreAnsweredInWords) {
  Say("nonsense");
  EXPECT_NE(Hear().find("one JSON object"), std::string::npos);
  Say(R"({"id":5,"op":"jump"})");
  EXPECT_EQ(Hear().find(R"({"error":"`op` must be)"), 0u);
  Say(R"({"id":5,"op":"set","key":"","value":"x"})");
  EXPECT_NE(Hear().find("`key` must have"), std::string::npos);
  Say(R"({"id":5,"op":"set","key":"k","value":7})");
  EXPECT_NE(Hear().find("`value` must be"), std::string::npos);
  Say(R"({"id":5,"op":"set","key":"k","value":")" + std::string((64 << 10) + 1, 'x') + "\"}");
  EXPECT_NE(Hear().find("more than 65536"), std::string::npos);
  Say(R"({"id":5,"op":"lost","rank":-1})");
  EXPECT_NE(Hear().find("`rank`"), std::string::npos);
}

TEST_F(RendezvousTest, AMadeUpGenerationDoesNotMoveTheGang) {
  Say(R"({"id":1,"op":"wait","generation":3,"key":"b"})");
  EXPECT_NE(Hear().find("is not there yet; the newest, of the membership file, is 2"),
            std::string::npos);
  Say(R"({"id":2,"op":"set","generation":2,"key":"a","value":"x"})");
  EXPECT_EQ(Hear(), R"({"id":2,"ok":true})");
  EXPECT_EQ(Await(1).size(), 1u) << "only what was allowed reaches the scheduler";
}

TEST_F(RendezvousTest, ANewerGenerationMakesOpenAndLaterWaitsStale) {
  Say(R"({"id":1,"op":"wait","generation":2,"key":"next-generation"})");
  const auto requests = Await(1);
  // The scheduler's word may come before the wanted set, and so before the membership file.
  v1::RendezvousAnswer early;
  early.set_id(requests[0].id());
  early.set_stale_generation(3);
  rendezvous_->OnAnswer(early);
  Say(R"({"id":2,"op":"set","generation":2,"key":"a","value":"x"})");
  EXPECT_EQ(Hear(), R"({"id":2,"ok":true})") << "and not that the first one is stale";
  rendezvous_->Advance(kKey, 3);
  EXPECT_EQ(Hear(), R"({"id":1,"stale":3})");
  Say(R"({"id":3,"op":"wait","generation":2,"key":"b"})");
  EXPECT_EQ(Hear(), R"({"id":3,"stale":3})");
  EXPECT_EQ(Await(2).size(), 2u) << "nobody else is asked";
  Say(R"({"id":4,"op":"set","generation":3,"key":"a","value":"y"})");
  EXPECT_EQ(Hear(), R"({"id":4,"ok":true})");
  rendezvous_->Advance(kKey, 2);
  Say(R"({"id":5,"op":"set","generation":3,"key":"b","value":"y"})");
  EXPECT_EQ(Hear(), R"({"id":5,"ok":true})") << "it never goes back";
}

TEST_F(RendezvousTest, ReadinessIsToldAgainInAllGenerationsALossInItsOwn) {
  Say(R"({"id":1,"op":"ready","generation":2})");
  EXPECT_EQ(Hear(), R"({"id":1,"ok":true})");
  Say(R"({"id":2,"op":"lost","generation":2,"rank":1})");
  Hear();
  auto requests = Await(2);
  EXPECT_EQ(requests[0].op(), v1::RendezvousRequest::READY);
  EXPECT_EQ(requests[0].generation(), 2u);
  rendezvous_->Resend();
  EXPECT_EQ(Await(4).size(), 4u);
  rendezvous_->Advance(kKey, 3);
  rendezvous_->Resend();
  Say(R"({"id":3,"op":"set","generation":3,"key":"a","value":"x"})");
  Hear();
  requests = Await(6);
  ASSERT_EQ(requests.size(), 6u) << "readiness, and not the loss of an older generation";
  EXPECT_EQ(requests[4].op(), v1::RendezvousRequest::READY);
  EXPECT_EQ(requests[5].op(), v1::RendezvousRequest::SET);
}

TEST_F(RendezvousTest, AKeyThatNobodyNeedsIsNotToldAgainNorWaitedFor) {
  Say(R"({"id":1,"op":"set","generation":2,"key":"a","value":"x"})");
  Hear();
  Say(R"({"id":2,"op":"wait","generation":2,"key":"b"})");
  const uint64_t wait = Await(2)[1].id();
  for (const char* key : {"a", "b"}) {
    Say(R"({"id":3,"op":"done","generation":2,"key":")" + std::string(key) + "\"}");
    EXPECT_EQ(Hear(), R"({"id":3,"ok":true})");
  }
  EXPECT_EQ(Await(4)[3].key(), "b") << "the scheduler forgets it, too";
  v1::RendezvousAnswer answer;
  answer.set_id(wait);
  answer.set_value("late");
  rendezvous_->OnAnswer(answer);
  rendezvous_->Resend();
  Say(R"({"id":4,"op":"set","generation":2,"key":"c","value":"x"})");
  EXPECT_EQ(Hear(), R"({"id":4,"ok":true})") << "and not the answer to the wait";
  const auto requests = Await(5);
  ASSERT_EQ(requests.size(), 5u);
  EXPECT_EQ(requests[4].key(), "c") << "nothing else was said again";
}

TEST_F(RendezvousTest, WhatNamesNoGenerationIsOfTheNewest) {
  Say(R"({"id":1,"op":"set","key":"a","value":"x"})");
  Hear();
  EXPECT_EQ(Await(1)[0].generation(), 2u);
}

TEST_F(RendezvousTest, ALineWithoutAnEndClosesTheConnection) {
  const std::string endless(kRendezvousLineBytesMax + 100'000, 'x');
  size_t at = 0;
  while (at < endless.size()) {
    const ssize_t n = send(client_, endless.data() + at, endless.size() - at, MSG_NOSIGNAL);
    if (n <= 0) break;
    at += static_cast<size_t>(n);
  }
  char c = 0;
  while (read(client_, &c, 1) == 1) {
  }
  close(client_);
  client_ = Connect();
  Say(R"({"id":1,"op":"done","generation":0})");
  EXPECT_EQ(Hear(), R"({"id":1,"ok":true})") << "the next one is served";
}

TEST_F(RendezvousTest, ATasksEndClosesItsSocket) {
  rendezvous_->Remove(kKey);
  char c = 0;
  EXPECT_LE(read(client_, &c, 1), 0);
  EXPECT_FALSE(std::filesystem::exists(path_));
}

}  // namespace
}  // namespace baton::worker
