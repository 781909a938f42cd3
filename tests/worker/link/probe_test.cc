// A node that dials others, and those who answer it, over real sockets.
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <condition_variable>
#include <map>
#include <mutex>

#include "common/ids.h"
#include "worker/link/probe_answers.h"
#include "worker/link/prober.h"
#include "worker/link/socket.h"

namespace baton::worker {
namespace {

using std::chrono::milliseconds;

// What a prober has told, by node.
class Findings {
 public:
  Prober::Tell Tell() {
    return [this](const std::vector<ProbeFinding>& found) {
      std::lock_guard<std::mutex> lock(mutex_);
      for (const ProbeFinding& finding : found) {
        errors_[finding.node] = finding.error;
        ++count_;
      }
      changed_.notify_all();
    };
  }
  std::map<std::string, std::string> Wait(size_t count) {
    std::unique_lock<std::mutex> lock(mutex_);
    changed_.wait_for(lock, milliseconds(20'000), [&] { return count_ >= count; });
    return errors_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<std::string, std::string> errors_;
  size_t count_ = 0;
};

// A socket that listens and never answers.
Descriptor Listener(int* port) {
  Descriptor fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  SocketAddress address = *ToSocketAddress("127.0.0.1", 0);
  EXPECT_EQ(bind(fd.get(), address.get(), address.size), 0);
  EXPECT_EQ(listen(fd.get(), 16), 0);
  EXPECT_EQ(getsockname(fd.get(), reinterpret_cast<sockaddr*>(&address.bytes), &address.size), 0);
  *port = ntohs(reinterpret_cast<const sockaddr_in*>(&address.bytes)->sin_port);
  return fd;
}

TEST(ProbeTest, EachTargetIsToldOfOnce) {
  const std::string a = RandomId();
  const std::string b = RandomId();
  auto first = ProbeAnswers::Start("127.0.0.1", a);
  auto second = ProbeAnswers::Start("127.0.0.2", b);
  ASSERT_TRUE(first.ok() && second.ok());
  int silent_port = 0;
  const Descriptor silent = Listener(&silent_port);
  int free_port = 0;
  { const Descriptor gone = Listener(&free_port); }
  Findings findings;
  auto prober = Prober::Start(findings.Tell());
  ASSERT_TRUE(prober.ok());
  const auto begin = std::chrono::steady_clock::now();
  (*prober)->Ask({{a, "127.0.0.1", (*first)->port()},
                  {b, "127.0.0.2", (*second)->port()},
                  {"another", "127.0.0.1", (*first)->port()},
                  {"refused", "127.0.0.1", free_port},
                  {"silent", "127.0.0.1", silent_port},
                  {"silent", "127.0.0.1", silent_port},
                  {"named", "host.example", 1}});
  const auto errors = findings.Wait(6);
  EXPECT_EQ(errors.at(a), "");
  EXPECT_EQ(errors.at(b), "");
  EXPECT_EQ(errors.at("another"), "what answers there is not the worker of that node");
  EXPECT_EQ(errors.at("refused"), "connection refused");
  EXPECT_EQ(errors.at("silent"), "nothing answered within 2 s");
  EXPECT_NE(errors.at("named").find("no IP address"), std::string::npos);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, milliseconds(10'000));
}

TEST(ProbeTest, ManyAtATimeAndAgain) {
  const std::string id = RandomId();
  auto answers = ProbeAnswers::Start("127.0.0.1", id);
  ASSERT_TRUE(answers.ok());
  Findings findings;
  auto prober = Prober::Start(findings.Tell());
  ASSERT_TRUE(prober.ok());
  std::vector<ProbeTarget> targets;
  for (int i = 0; i < 300; ++i) {
    targets.push_back({"n" + std::to_string(i), "127.0.0.1", (*answers)->port()});
  }
  (*prober)->Ask(targets);
  EXPECT_EQ(findings.Wait(300).size(), 300u);
  (*prober)->Ask({{id, "127.0.0.1", (*answers)->port()}});
  EXPECT_EQ(findings.Wait(301).at(id), "");
}

// Strangers who say nothing, too much or nonsense keep nobody from being answered.
TEST(ProbeTest, StrangersAreLetGo) {
  const std::string id = RandomId();
  auto answers = ProbeAnswers::Start("127.0.0.1", id);
  ASSERT_TRUE(answers.ok());
  const SocketAddress to = *ToSocketAddress("127.0.0.1", (*answers)->port());
  std::vector<Descriptor> strangers;
  for (int i = 0; i < 70; ++i) {
    strangers.emplace_back(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    ASSERT_EQ(connect(strangers.back().get(), to.get(), to.size), 0);
  }
  const std::string noise(200, 'x');
  EXPECT_EQ(send(strangers[0].get(), noise.data(), noise.size(), MSG_NOSIGNAL), 200);
  EXPECT_EQ(send(strangers[1].get(), "GET / HTTP/1.1\n", 15, MSG_NOSIGNAL), 15);
  char byte;
  EXPECT_LE(recv(strangers[0].get(), &byte, 1, 0), 0) << "cut off without a byte";
  EXPECT_LE(recv(strangers[1].get(), &byte, 1, 0), 0);
  Findings findings;
  auto prober = Prober::Start(findings.Tell());
  ASSERT_TRUE(prober.ok());
  // They fill all places: after 2 s these are free again. Asked until then, as the scheduler does.
  for (size_t tries = 1; tries <= 5; ++tries) {
    (*prober)->Ask({{id, "127.0.0.1", (*answers)->port()}});
    if (findings.Wait(tries).at(id).empty()) break;
  }
  EXPECT_EQ(findings.Wait(1).at(id), "");
}

TEST(ProbeTest, AnAddressOfAnotherMachineIsServedByAllOfThisOnes) {
  const std::string id = RandomId();
  auto answers = ProbeAnswers::Start("192.0.2.7", id);
  ASSERT_TRUE(answers.ok()) << answers.status();
  Findings findings;
  auto prober = Prober::Start(findings.Tell());
  ASSERT_TRUE(prober.ok());
  (*prober)->Ask({{id, "127.0.0.1", (*answers)->port()}});
  EXPECT_EQ(findings.Wait(1).at(id), "");
  EXPECT_FALSE(ProbeAnswers::Start("no address", id).ok());
}

}  // namespace
}  // namespace baton::worker
