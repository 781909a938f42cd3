// What real tools print when they fail, and whose fault it is.
#include "worker/setup/fault.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace baton::worker {
namespace {

using testing::HasSubstr;
using testing::Not;

struct Case {
  int code;
  const char* printed;
  Fault fault;
};

constexpr char kNoIndex[] =
    "WARNING: Retrying (Retry(total=0, connect=None)) after connection broken by "
    "'NewConnectionError('<pip._vendor.urllib3>: Failed to establish a new connection: [Errno -3] "
    "Temporary failure in name resolution')': /simple/torch/\n"
    "ERROR: Could not find a version that satisfies the requirement torch (from versions: none)\n"
    "ERROR: No matching distribution found for torch\n";
constexpr char kNoSuchVersion[] =
    "ERROR: Could not find a version that satisfies the requirement six==99 (from versions: "
    "1.15.0, "
    "1.16.0)\nERROR: No matching distribution found for six==99\n";

constexpr char kUvNoSuchVersion[] =
    "error: No solution found when resolving dependencies\n  cause: Because there is no version of "
    "six==99 and you require six==99, we can conclude that your requirements are unsatisfiable.\n";
constexpr char kUvRefused[] =
    "error: Request failed after 3 retries in 5.5s\n  cause: Failed to fetch: "
    "http://127.0.0.1:9/simple/six/\n  cause: tcp connect error\n  cause: Connection refused (os "
    "error 111)\n";

TEST(FaultOfStep, OfInstallersAndCommands) {
  const Case kCases[] = {
      {1, kNoIndex, Fault::kNetwork},
      {1, kNoSuchVersion, Fault::kProgram},
      {1, "ERROR: No matching distribution found for missing==9\n", Fault::kProgram},
      {1, "ERROR: HTTP error 503 while getting https://x/six.whl\n", Fault::kNetwork},
      {1, "ERROR: HTTP error 404 while getting https://x/six.whl\n", Fault::kProgram},
      {1, "ERROR: ResolutionImpossible: for help visit https://pip.pypa.io\n", Fault::kProgram},
      {1, "ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE.\n",
       Fault::kProgram},
      {2,
       "error: Request failed after 3 retries\n  Caused by: Failed to fetch: "
       "`https://pypi.org/simple/six/`\n  Caused by: error sending request for url\n  Caused by: "
       "client error (Connect)\n  Caused by: dns error\n",
       Fault::kNetwork},
      {1, kUvNoSuchVersion, Fault::kProgram},
      {2, kUvRefused, Fault::kNetwork},
      {1, "error: Failed to download `six==1.16.0`\n  cause: Hash mismatch for `six==1.16.0`\n",
       Fault::kProgram},
      {1, "CondaHTTPError: HTTP 000 CONNECTION FAILED for url <https://conda.anaconda.org>\n",
       Fault::kNetwork},
      {1, "ResolvePackageNotFound: \n  - nothere=1\n", Fault::kProgram},
      {1, "Error: failed to retrieve package\ncannot open URL 'https://cran/x.tar.gz'\n",
       Fault::kNetwork},
      {1, "cannot open URL 'http://cran/x': HTTP status was '404 Not Found'\n", Fault::kProgram},
      {6, "curl: (6) Could not resolve host: data.example\n", Fault::kNetwork},
      {7, "curl: (7) Failed to connect to 10.0.0.1 port 80: Connection refused\n", Fault::kNetwork},
      {22, "curl: (22) The requested URL returned error: 404\n", Fault::kProgram},
      {22, "curl: (22) The requested URL returned error: 502\n", Fault::kNetwork},
      {128, "fatal: unable to access 'https://x/': Could not resolve host: x\n", Fault::kNetwork},
      {-9, "Collecting torch\n", Fault::kNode},
      {137, "Killed\n", Fault::kNode},
      {-11, "", Fault::kProgram},
      {1, "OSError: [Errno 28] No space left on device\n", Fault::kDisk},
      {1, "OSError: [Errno 5] Input/output error: 'x'\n", Fault::kNode},
      {1, "OSError: [Errno 24] Too many open files\n", Fault::kNode},
      {2, "cc1plus: out of memory\nvirtual memory exhausted: Cannot allocate memory\n",
       Fault::kNode},
      {2, "make: *** No targets.  Stop.\n", Fault::kProgram},
      {127, "/bin/sh: 1: nvcc: not found\n", Fault::kProgram},
  };
  for (const Case& c : kCases) {
    EXPECT_EQ(FaultOfStep(c.code, c.printed), c.fault) << c.code << " " << c.printed;
  }
}

// A broken line that pip got over is not what it failed by.
TEST(FaultOfStep, WhatWasSaidLastCounts) {
  const std::string retried = std::string("Retrying after ReadTimeoutError\n") + kNoSuchVersion;
  EXPECT_EQ(FaultOfStep(1, retried), Fault::kProgram);
  EXPECT_EQ(FaultOfStep(1, std::string(kNoSuchVersion) + kNoIndex), Fault::kNetwork);
}

TEST(FaultOfStep, WordsOfLongAgoSayNothingOfTheEnd) {
  std::string tests = "test_full_disk: OSError: No space left on device ... ok\n";
  for (int i = 0; i < 30; ++i) tests += "test_" + std::to_string(i) + " ... ok\n";
  EXPECT_EQ(FaultOfStep(1, tests + "AssertionError: 3 != 4\n"), Fault::kProgram);
  tests += "ERROR: MemoryError\n";
  EXPECT_EQ(FaultOfStep(1, tests + "FAILED (errors=1)\n"), Fault::kNode);
  // A tool that names its error and says a good deal more.
  std::string pip =
      "ERROR: Could not install packages due to an OSError: [Errno 28] No space left "
      "on device\n";
  for (int i = 0; i < 30; ++i) pip += "notice: line " + std::to_string(i) + "\n";
  EXPECT_EQ(FaultOfStep(1, pip), Fault::kDisk);
  // The later of two causes.
  EXPECT_EQ(FaultOfStep(1, std::string("No space left on device\n") + kNoSuchVersion),
            Fault::kProgram);
  EXPECT_EQ(FaultOfStep(1, std::string(kNoSuchVersion) + "No space left on device\n"),
            Fault::kDisk);
  EXPECT_EQ(FaultOfStep(-9, "No space left on device\n"), Fault::kNode) << "it was killed";
}

TEST(FaultOfPull, OfContainerRuntimes) {
  const Case kCases[] = {
      {1,
       "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon "
       "running?\n",
       Fault::kNode},
      {1, "permission denied while trying to connect to the Docker daemon socket\n", Fault::kNode},
      {1, "Error response from daemon: manifest for x:9 not found: manifest unknown\n",
       Fault::kProgram},
      {1, "Error response from daemon: pull access denied for x, repository does not exist\n",
       Fault::kProgram},
      {1,
       "Error response from daemon: Get https://registry-1.docker.io/v2/: dial tcp: lookup "
       "registry-1.docker.io: no such host\n",
       Fault::kNetwork},
      {1, "toomanyrequests: You have reached your pull rate limit\n", Fault::kNetwork},
      {1, "no matching manifest for linux/arm64/v8 in the manifest list entries\n", Fault::kNode},
      {125, "Error: initializing source docker://x:9: reading manifest 9 in x: manifest unknown\n",
       Fault::kProgram},
      {125,
       "Error: initializing source docker://x: pinging container registry x: Get "
       "\"https://x/v2/\": dial tcp 10.0.0.1:443: i/o timeout\n",
       Fault::kNetwork},
      {125, "Error: short-name \"x\" did not resolve to an alias\n", Fault::kProgram},
      {125, "Error: mounting storage: permission denied\n", Fault::kNode},
      {125, "Error: writing blob: no space left on device\n", Fault::kDisk},
  };
  for (const Case& c : kCases) {
    EXPECT_EQ(FaultOfPull(c.code, c.printed), c.fault) << c.code << " " << c.printed;
  }
}

TEST(FaultOfRun, OnlyARuntimesOwnCode) {
  const char* const kPodman = "Error: crun: executable file `x` not found in $PATH: No such file";
  EXPECT_TRUE(IsRuntimesFault("/usr/bin/podman", 125, kPodman));
  EXPECT_TRUE(IsRuntimesFault("docker", 125, "docker: Error response from daemon: no space left."));
  EXPECT_TRUE(IsRuntimesFault("docker", 125, "See 'docker run --help'."));
  EXPECT_TRUE(IsRuntimesFault("docker", 125, "Run 'docker run --help' for more information"));
  EXPECT_FALSE(IsRuntimesFault("/usr/bin/podman", 126, kPodman)) << "the program can't be run";
  EXPECT_FALSE(IsRuntimesFault("/usr/bin/apptainer", 125, kPodman)) << "it has no such code";
  EXPECT_FALSE(IsRuntimesFault("", 125, kPodman)) << "a program without a container";
  EXPECT_FALSE(IsRuntimesFault("podman", 125, "timeout: invalid time interval 'x'"))
      << "a program's own";
  EXPECT_FALSE(IsRuntimesFault("docker", 125, "epoch 7 loss 0.3"));
}

std::string Words(const char* title, int code, const char* printed) {
  return std::string(StepFailure(title, code, printed, FaultOfStep(code, printed)).message());
}

TEST(StepFailure, SaysTheLineThatMattersAndWhatToDo) {
  EXPECT_EQ(Words("pip install x", 1, "Looking\nERROR: No such thing\n\nnotice: news\n"),
            "`pip install x` ended with code 1: ERROR: No such thing");
  EXPECT_THAT(Words("make", -9, ""), HasSubstr("`make` was killed by signal 9 (the node's memory"));
  EXPECT_THAT(Words("pip install x", 1, kNoIndex), HasSubstr("the node did not reach a server"));
  EXPECT_THAT(Words("make", 2, "cc: error"), Not(HasSubstr("server")));
  EXPECT_THAT(
      Words("uv", 1, kUvNoSuchVersion),
      HasSubstr("error: No solution found when resolving dependencies; cause: Because there "
                "is no version of six==99"));
}

TEST(StepFailure, TheCodeSaysWhetherAnotherNodeIsTried) {
  EXPECT_TRUE(absl::IsInvalidArgument(StepFailure("x", 1, "", Fault::kProgram)));
  EXPECT_TRUE(absl::IsUnavailable(StepFailure("x", 1, "", Fault::kNode)));
  EXPECT_TRUE(absl::IsUnavailable(StepFailure("x", 1, "", Fault::kNetwork)));
  EXPECT_TRUE(absl::IsResourceExhausted(StepFailure("x", 1, "", Fault::kDisk)));
}

}  // namespace
}  // namespace baton::worker
