// With real processes: /bin/sh scripts under a real keeper.
#include "worker/task/launcher.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <fstream>
#include <map>
#include <mutex>
#include <sstream>

#include "worker/task/process_tree.h"

extern char** environ;

namespace baton::worker {
namespace {

using std::chrono::milliseconds;
constexpr milliseconds kPatience{20'000};

struct Outcome {
  int32_t pid = 0;
  bool ended = false;
  int32_t code = 0;
  int error_number = 0;
  std::string what;
  bool keeper_lost = false;
};

class LauncherTest : public testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/baton-launcher-XXXXXX";
    ASSERT_NE(mkdtemp(name), nullptr);
    folder_ = name;
    auto made = Launcher::Create(
        KEEPER_PROGRAM,
        {[this](uint64_t id, int32_t pid) { Note(id, [&](Outcome& o) { o.pid = pid; }); },
         [this](uint64_t id, int error, const std::string& what) {
           Note(id, [&](Outcome& o) {
             o.ended = true;
             o.error_number = error;
             o.what = what;
           });
         },
         [this](uint64_t id, int32_t code) {
           Note(id, [&](Outcome& o) {
             o.ended = true;
             o.code = code;
           });
         },
         [this](const std::vector<uint64_t>& ids) {
           for (const uint64_t id : ids) {
             Note(id, [&](Outcome& o) { o.ended = o.keeper_lost = true; });
           }
         }});
    ASSERT_TRUE(made.ok()) << made.status().message();
    launcher_ = std::move(*made);
  }

  void TearDown() override {
    launcher_.reset();
    (void)!system(("rm -rf " + folder_).c_str());
  }

  template <typename F>
  void Note(uint64_t id, F change) {
    std::lock_guard<std::mutex> lock(mutex_);
    change(outcomes_[id]);
    changed_.notify_all();
  }

  Launch Script(uint64_t id, const std::string& script) {
    Launch launch;
    launch.id = id;
    launch.mark = "MARK=" + std::to_string(id);
    launch.argv = {"/bin/sh", "-c", script};
    launch.environment = {"PATH=/usr/local/bin:/usr/bin:/bin", launch.mark};
    launch.folder = folder_;
    return launch;
  }

  Outcome AwaitEnd(uint64_t id) {
    std::unique_lock<std::mutex> lock(mutex_);
    changed_.wait_for(lock, kPatience, [&] { return outcomes_[id].ended; });
    return outcomes_[id];
  }

  int32_t AwaitPid(uint64_t id) {
    std::unique_lock<std::mutex> lock(mutex_);
    changed_.wait_for(lock, kPatience, [&] { return outcomes_[id].pid != 0; });
    return outcomes_[id].pid;
  }

  std::string Path(const std::string& name) { return folder_ + "/" + name; }

  static std::string Read(const std::string& path) {
    std::ifstream file(path);
    std::stringstream text;
    text << file.rdbuf();
    return text.str();
  }

  // Waits for a condition that another process brings about.
  template <typename F>
  static bool Await(F condition) {
    const auto end = std::chrono::steady_clock::now() + kPatience;
    while (std::chrono::steady_clock::now() < end) {
      if (condition()) return true;
      usleep(2000);
    }
    return false;
  }

  // The number a script wrote into a file with a newline at its end.
  pid_t AwaitNumber(const std::string& name) {
    std::string text;
    Await([&] { return (text = Read(Path(name))).find('\n') != std::string::npos; });
    return static_cast<pid_t>(atoi(text.c_str()));
  }

  static bool Alive(pid_t pid) {
    if (kill(pid, 0) != 0) return false;
    const std::string stat = Read("/proc/" + std::to_string(pid) + "/stat");
    const size_t at = stat.rfind(')');
    return at != std::string::npos && stat.size() > at + 2 && stat[at + 2] != 'Z';
  }

  std::string folder_;
  std::unique_ptr<Launcher> launcher_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<uint64_t, Outcome> outcomes_;
};

TEST_F(LauncherTest, ExitCodesAndSignals) {
  launcher_->Start(Script(1, "exit 0"));
  launcher_->Start(Script(2, "exit 75"));
  launcher_->Start(Script(3, "kill -SEGV $$"));
  EXPECT_EQ(AwaitEnd(1).code, 0);
  EXPECT_EQ(AwaitEnd(2).code, 75);
  EXPECT_EQ(AwaitEnd(3).code, -SIGSEGV);
}

TEST_F(LauncherTest, AMissingProgramIsNamedAsSuch) {
  Launch launch = Script(1, "");
  launch.argv = {"no-such-program-anywhere"};
  launcher_->Start(launch);
  EXPECT_EQ(AwaitEnd(1).error_number, ENOENT);
  EXPECT_EQ(AwaitEnd(1).what, "exec");
  launch = Script(2, "exit 0");
  launch.folder = "/no/such/folder";
  launcher_->Start(launch);
  EXPECT_EQ(AwaitEnd(2).error_number, ENOENT);
  EXPECT_EQ(AwaitEnd(2).what, "the working folder");
  launch = Script(3, "");
  launch.argv = {"/etc/passwd"};
  launcher_->Start(launch);
  EXPECT_EQ(AwaitEnd(3).error_number, EACCES);
}

TEST_F(LauncherTest, FolderEnvironmentAndLog) {
  int ends[2];
  ASSERT_EQ(pipe2(ends, O_CLOEXEC), 0);
  Launch launch = Script(1, "pwd; echo $MARK >&2; echo \"in: $(cat)\"; ls /proc/self/fd | wc -l");
  launch.log = ends[1];
  launcher_->Start(launch);
  EXPECT_EQ(AwaitEnd(1).code, 0);
  close(ends[1]);
  std::string text(1000, '\0');
  text.resize(static_cast<size_t>(std::max<ssize_t>(0, read(ends[0], text.data(), text.size()))));
  close(ends[0]);
  // The four of ls: its three and the folder it lists. None of the worker's or keeper's.
  EXPECT_EQ(text, folder_ + "\n1\nin: \n4\n");
}

TEST_F(LauncherTest, SigtermOnlyToProcessesThatCatchIt) {
  // The shell does not catch it and waits; its child does and says so.
  launcher_->Start(Script(1,
                          "sh -c 'trap \"echo got >> child; exit 0\" TERM; echo > ready; "
                          "while :; do sleep 0.05; done'; echo shell-lives > shell; exit 3"));
  ASSERT_TRUE(Await([&] { return access(Path("ready").c_str(), F_OK) == 0; }));
  launcher_->Terminate(1);
  EXPECT_EQ(AwaitEnd(1).code, 3);
  EXPECT_EQ(Read(Path("child")), "got\n");
  EXPECT_EQ(Read(Path("shell")), "shell-lives\n");
}

TEST_F(LauncherTest, AnotherSignalToThoseWhoCatchThatOne) {
  launcher_->Start(Script(1,
                          "trap 'exit 4' USR1; sh -c 'trap \"exit 0\" TERM; echo > ready; "
                          "while :; do sleep 0.05; done'; exit 5"));
  ASSERT_TRUE(Await([&] { return access(Path("ready").c_str(), F_OK) == 0; }));
  launcher_->Terminate(1, false, SIGUSR1);
  launcher_->Terminate(1);
  EXPECT_EQ(AwaitEnd(1).code, 4) << "the inner shell lived until SIGTERM";
}

TEST_F(LauncherTest, SigtermComesOnceHoweverOftenItIsAsked) {
  launcher_->Start(Script(1,
                          "trap 'echo got >> child' TERM; echo > ready; "
                          "while [ ! -e end ]; do sleep 0.02; done"));
  ASSERT_TRUE(Await([&] { return access(Path("ready").c_str(), F_OK) == 0; }));
  for (int i = 0; i < 5; ++i) launcher_->Terminate(1);
  ASSERT_TRUE(Await([&] { return !Read(Path("child")).empty(); }));
  for (int i = 0; i < 5; ++i) launcher_->Terminate(1);
  launcher_->Start(Script(2, "exit 0"));  // comes after these in the keeper's queue
  AwaitEnd(2);
  std::ofstream(Path("end")) << "x";
  EXPECT_EQ(AwaitEnd(1).code, 0);
  EXPECT_EQ(Read(Path("child")), "got\n");
}

TEST_F(LauncherTest, SigtermForAllSparesThoseWhoWaitForOneThatCatchesIt) {
  launcher_->Start(Script(1,
                          "sh -c 'trap \"echo got >> child; exit 0\" TERM; echo > ready; "
                          "while :; do sleep 0.05; done'; echo shell-lives > shell; exit 3"));
  launcher_->Start(Script(2, "sleep 1000; echo never > never"));
  ASSERT_TRUE(Await([&] { return access(Path("ready").c_str(), F_OK) == 0; }));
  launcher_->Terminate(1, true);
  EXPECT_EQ(AwaitEnd(1).code, 3) << "the shell waits for its child's end";
  EXPECT_EQ(Read(Path("child")), "got\n");
  const auto asked = std::chrono::steady_clock::now();
  launcher_->Terminate(2, true);
  EXPECT_EQ(AwaitEnd(2).code, -SIGTERM);
  EXPECT_LT(std::chrono::steady_clock::now() - asked, milliseconds(2000));
}

// As torchrun does: it catches SIGTERM and ends its ranks on it. One of them catches it too.
constexpr char kRankLauncher[] =
    "trap 'echo launcher >> got; kill $a $b; exit 9' TERM; "
    "RANK=0 sh -c 'trap \"echo rank >> got\" TERM; echo > ready; "
    "while [ ! -e end ]; do sleep 0.05; done' & a=$!; "
    "RANK=1 sh -c 'echo > ready.too; while [ ! -e end ]; do sleep 0.05; done; echo untouched >> "
    "got' & b=$!; "
    "while [ ! -e end ]; do sleep 0.05; done; wait $b; exit 4";

TEST_F(LauncherTest, ANoticeGoesPastWhoStartsRanksToTheRanksThatCatchIt) {
  launcher_->Start(Script(1, kRankLauncher));
  ASSERT_TRUE(Await([&] { return access(Path("ready").c_str(), F_OK) == 0; }));
  ASSERT_TRUE(Await([&] { return access(Path("ready.too").c_str(), F_OK) == 0; }));
  launcher_->Terminate(1);
  ASSERT_TRUE(Await([&] { return !Read(Path("got")).empty(); }));
  launcher_->Terminate(1);
  std::ofstream(Path("end")) << "x";
  EXPECT_EQ(AwaitEnd(1).code, 4);
  EXPECT_EQ(Read(Path("got")), "rank\nuntouched\n");
}

TEST_F(LauncherTest, ACancelReachesWhoStartsRanksThatDoNotCatchIt) {
  launcher_->Start(Script(1,
                          "trap 'echo launcher >> got; exit 9' TERM; "
                          "RANK=0 sh -c 'echo > ready; exec sleep 1000' & wait"));
  ASSERT_TRUE(Await([&] { return access(Path("ready").c_str(), F_OK) == 0; }));
  launcher_->Terminate(1);
  launcher_->Terminate(1, true);
  EXPECT_EQ(AwaitEnd(1).code, 9);
  EXPECT_EQ(Read(Path("got")), "launcher\n");
}

// As Lightning does: it is rank 0, says so in no environment, and starts the others.
TEST_F(LauncherTest, ARankThatStartsItsPeersGetsTheNotice) {
  launcher_->Start(Script(1,
                          "trap 'echo first >> got' TERM; "
                          "LOCAL_RANK=1 sh -c 'echo > ready; while [ ! -e end ]; do sleep 0.05; "
                          "done' & wait; while [ ! -e end ]; do sleep 0.05; done; exit 4"));
  ASSERT_TRUE(Await([&] { return access(Path("ready").c_str(), F_OK) == 0; }));
  launcher_->Terminate(1);
  ASSERT_TRUE(Await([&] { return !Read(Path("got")).empty(); }));
  std::ofstream(Path("end")) << "x";
  EXPECT_EQ(AwaitEnd(1).code, 4);
}

constexpr char kEscapee[] =
    "(setsid sh -c 'echo $$ > escapee.tmp; mv escapee.tmp escapee; exec sleep 1000' &) ; "
    "while [ ! -e escapee ]; do sleep 0.01; done; ";

TEST_F(LauncherTest, KillReachesWhatLeftTheSession) {
  launcher_->Start(Script(1, std::string(kEscapee) + "exec sleep 1000"));
  launcher_->Start(Script(2, "exec sleep 1000"));
  const pid_t escapee = AwaitNumber("escapee");
  ASSERT_GT(escapee, 0);
  EXPECT_TRUE(Alive(escapee));
  launcher_->Kill(1);
  EXPECT_EQ(AwaitEnd(1).code, -SIGKILL);
  EXPECT_FALSE(Alive(escapee));
  EXPECT_TRUE(Alive(AwaitPid(2)));
}

TEST_F(LauncherTest, WhatATaskLeavesBehindEndsWithIt) {
  launcher_->Start(Script(2, "exec sleep 1000"));
  launcher_->Start(Script(1, std::string(kEscapee) + "sleep 1000 & exit 5"));
  EXPECT_EQ(AwaitEnd(1).code, 5);
  EXPECT_FALSE(Alive(AwaitNumber("escapee")));
  EXPECT_TRUE(Alive(AwaitPid(2)));
}

TEST_F(LauncherTest, ADaemonWithoutTheTasksEnvironmentIsFoundByTheTasksOutput) {
  int ends[2];
  ASSERT_EQ(pipe2(ends, O_CLOEXEC), 0);
  Launch launch =
      Script(1,
             "(env -i setsid /bin/sh -c 'echo $$ > escapee.tmp; mv escapee.tmp escapee; "
             "exec /bin/sleep 1000' &) ; while [ ! -e escapee ]; do sleep 0.01; done; "
             "exit 5");
  launch.log = ends[1];
  Launch other = Script(2, "exec sleep 1000");
  other.log = open("/dev/null", O_RDWR | O_CLOEXEC);
  launcher_->Start(other);
  launcher_->Start(launch);
  EXPECT_EQ(AwaitEnd(1).code, 5);
  EXPECT_FALSE(Alive(AwaitNumber("escapee")));
  EXPECT_TRUE(Alive(AwaitPid(2)));
  close(other.log);
  close(ends[0]);
  close(ends[1]);
}

TEST_F(LauncherTest, AKilledKeeperTakesItsTasksAlongAndIsReplaced) {
  launcher_->Start(Script(1, std::string(kEscapee) + "exec sleep 1000"));
  const pid_t escapee = AwaitNumber("escapee");
  const pid_t root = AwaitPid(1);
  kill(launcher_->keeper_pid(), SIGKILL);
  EXPECT_TRUE(AwaitEnd(1).keeper_lost);
  EXPECT_FALSE(Alive(root));
  EXPECT_FALSE(Alive(escapee));
  ASSERT_TRUE(Await([&] {
    static uint64_t id = 10;
    launcher_->Start(Script(++id, "exit 9"));
    return AwaitEnd(id).code == 9;
  }));
}

TEST_F(LauncherTest, AKilledWorkerLeavesNobody) {
  const std::string script = std::string(kEscapee) + "echo $$ > root; exec sleep 1000";
  char* argv[] = {const_cast<char*>(VICTIM_PROGRAM), const_cast<char*>(KEEPER_PROGRAM),
                  folder_.data(), const_cast<char*>(script.c_str()), nullptr};
  pid_t worker = -1;
  ASSERT_EQ(posix_spawn(&worker, VICTIM_PROGRAM, nullptr, nullptr, argv, environ), 0);
  const pid_t root = AwaitNumber("root");
  const pid_t escapee = AwaitNumber("escapee");
  ASSERT_GT(root, 0);
  ASSERT_GT(escapee, 0);
  kill(worker, SIGKILL);
  const auto killed = std::chrono::steady_clock::now();
  EXPECT_TRUE(Await([&] { return !Alive(root) && !Alive(escapee); }));
  EXPECT_LT(std::chrono::steady_clock::now() - killed, milliseconds(1000));
}

TEST_F(LauncherTest, WhatOutlivesWorkerAndKeeperIsFoundByItsMark) {
  const std::string script = std::string(kEscapee) + "exec sleep 1000";
  char* argv[] = {const_cast<char*>(VICTIM_PROGRAM), const_cast<char*>(KEEPER_PROGRAM),
                  folder_.data(), const_cast<char*>(script.c_str()), nullptr};
  pid_t worker = -1;
  ASSERT_EQ(posix_spawn(&worker, VICTIM_PROGRAM, nullptr, nullptr, argv, environ), 0);
  const pid_t escapee = AwaitNumber("escapee");
  ASSERT_GT(escapee, 0);
  kill(worker, SIGSTOP);  // so that it can't end what its keeper leaves
  for (const Process& process : Descendants(worker, AllProcesses())) {
    if (process.parent == worker) kill(process.pid, SIGKILL);
  }
  kill(worker, SIGKILL);
  waitpid(worker, nullptr, 0);
  EXPECT_TRUE(Alive(escapee));
  EXPECT_EQ(KillMarked("MARK=nobody"), 0);
  EXPECT_EQ(KillMarked("ARK=vict"), 0) << "a variable begins there, or it is another";
  EXPECT_GE(KillMarked("MARK=vict"), 1);
  EXPECT_FALSE(Alive(escapee));
}

TEST_F(LauncherTest, AThousandAtOnce) {
  for (uint64_t id = 1; id <= 1000; ++id) {
    Launch launch = Script(id, "");
    launch.argv = {"/bin/true"};
    launcher_->Start(launch);
  }
  for (uint64_t id = 1; id <= 1000; ++id) EXPECT_EQ(AwaitEnd(id).code, 0);
}

}  // namespace
}  // namespace baton::worker
