#include "worker/setup/fault.h"

#include <algorithm>
#include <cerrno>
#include <initializer_list>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/atomic_file.h"
#include "common/printable.h"

namespace baton::worker {
namespace {

constexpr size_t kLineBytesMax = 300;
// make and pip say some more after the command that failed.
constexpr int kLastLines = 20;
constexpr int kKilled = 9;
constexpr int kByShell = 128;  // what a shell adds to the signal that killed its command
// Of `docker run` and `podman run`: the container was not started.
constexpr int kRuntimeFailed = 125;

constexpr absl::string_view kDiskSigns[] = {"No space left on device", "Disk quota exceeded",
                                            "no space left on device"};

constexpr absl::string_view kNodeSigns[] = {
    "Input/output error",      "Too many open files", "Cannot allocate memory",
    "Read-only file system",   "Stale file handle",   "fork: Resource temporarily unavailable",
    "can't start new thread",  "MemoryError",         "ENOMEM",
    "virtual memory exhausted"};

constexpr absl::string_view kNetworkSigns[] = {
    // names
    "Name or service not known", "emporary failure in name resolution", "ould not resolve host",
    "ould not resolve proxy", "no such host", "dns error", "failed to lookup address",
    "nodename nor servname",
    // connections
    "NewConnectionError", "ConnectTimeoutError", "ReadTimeoutError", "Max retries exceeded",
    "onnection timed out", "onnection refused", "onnection reset", "onnection aborted",
    "etwork is unreachable", "No route to host", "RemoteDisconnected", "IncompleteRead",
    "error sending request for url", "peration timed out", "i/o timeout", "TLS handshake timeout",
    "Client.Timeout exceeded", "ProxyError", "unable to get local issuer certificate",
    // curl by its codes, R and conda by their words
    "curl: (5)", "curl: (6)", "curl: (7)", "curl: (18)", "curl: (28)", "curl: (35)", "curl: (52)",
    "curl: (56)", "cannot open URL", "nternet routines", "CONNECTION FAILED",
    "CondaHTTPError: HTTP 5", "Download error (28)", "Download error (6)", "Download error (7)",
    // servers
    "500 Internal Server Error", "500 Server Error", "502 Bad Gateway", "502 Server Error",
    "503 Service Unavailable", "503 Server Error", "504 Gateway", "504 Server Error",
    "HTTP error 50", "returned error: 50", "429 Too Many Requests", "toomanyrequests",
    "429 Client Error", "HTTP error 429"};

// Said only where the server has answered: what went wrong before was got over.
constexpr absl::string_view kProgramSigns[] = {"ResolutionImpossible",
                                               "conflicting dependencies",
                                               "No solution found",
                                               "DO NOT MATCH THE HASHES",
                                               "Hash mismatch",
                                               "hash mismatch",
                                               "HTTP error 404",
                                               "404 Client Error",
                                               "404 Not Found",
                                               "returned error: 404",
                                               "was not found in the package registry",
                                               "PackagesNotFoundError",
                                               "ResolvePackageNotFound",
                                               "UnsatisfiableError",
                                               "Invalid requirement",
                                               "requires a different Python"};

// Another node may be of the kind that the image is for.
constexpr absl::string_view kKindSigns[] = {"no matching manifest for", "no image found in"};

constexpr absl::string_view kDaemonSigns[] = {"annot connect to the Docker daemon",
                                              "Is the docker daemon running",
                                              "ocker daemon socket",
                                              "annot connect to Podman",
                                              "nable to connect to Podman",
                                              "error during connect",
                                              "unexpected EOF"};

constexpr absl::string_view kImageSigns[] = {"manifest unknown",
                                             "manifest for",
                                             "access denied",
                                             "access to the resource is denied",
                                             "unauthorized",
                                             "invalid reference",
                                             "name unknown",
                                             "repository name must be",
                                             "authentication required",
                                             "short-name"};

// Where the last of the signs begins; npos: none is there.
template <size_t N>
size_t LastOf(const absl::string_view (&signs)[N], absl::string_view printed) {
  size_t last = absl::string_view::npos;
  for (const absl::string_view sign : signs) {
    const size_t at = printed.rfind(std::string(sign));
    if (at == absl::string_view::npos) continue;
    last = last == absl::string_view::npos ? at : std::max(last, at);
  }
  return last;
}

template <size_t N>
bool HasAny(const absl::string_view (&signs)[N], absl::string_view printed) {
  return LastOf(signs, printed) != absl::string_view::npos;
}

// pip's "(from versions: 1.0, 1.1)": an index was read. "none" is also said where none was reached.
size_t LastVersions(absl::string_view printed) {
  size_t last = absl::string_view::npos;
  const std::string sign = "(from versions: ";
  for (size_t at = printed.find(sign); at != absl::string_view::npos;
       at = printed.find(sign, at + 1)) {
    if (!absl::StartsWith(printed.substr(at + sign.size()), "none")) last = at;
  }
  return last;
}

bool IsKill(int code) { return code == -kKilled || code == kByShell + kKilled; }

std::string LastWords(absl::string_view printed) {
  std::string last, error;
  for (const absl::string_view line : absl::StrSplit(printed, '\n')) {
    const absl::string_view bare = absl::StripAsciiWhitespace(line);
    if (bare.empty()) continue;
    last = std::string(bare);
    if (absl::StartsWithIgnoreCase(bare, "error")) {
      error = last;
    } else if (!error.empty() && (absl::StartsWith(bare, "cause: ") ||  // uv's, the newer's first
                                  absl::StartsWith(bare, "Caused by: "))) {
      absl::StrAppend(&error, "; ", bare);
    }
  }
  return error.empty() ? last : error;
}

// Where the last lines begin.
size_t EndOfOlder(absl::string_view printed) {
  size_t begin = printed.size();
  for (int lines = 0; lines < kLastLines && begin > 0;) {
    const size_t newline = printed.rfind('\n', begin - 1);
    const size_t start = newline == absl::string_view::npos ? 0 : newline + 1;
    if (!absl::StripAsciiWhitespace(printed.substr(start, begin - start)).empty()) ++lines;
    begin = newline == absl::string_view::npos ? 0 : newline;
  }
  return begin;
}

// As LastOf, where it is what the step failed by.
template <size_t N>
size_t LastCause(const absl::string_view (&signs)[N], absl::string_view printed) {
  const size_t at = LastOf(signs, printed);
  if (at == absl::string_view::npos || at >= EndOfOlder(printed)) return at;
  return HasAny(signs, LastWords(printed)) ? at : absl::string_view::npos;
}

}  // namespace

Fault FaultOfStep(int code, absl::string_view printed) {
  if (IsKill(code)) return Fault::kNode;
  // npos: not there; the program's own stands behind nothing.
  const auto place = [](size_t at) { return at == absl::string_view::npos ? 0 : at + 1; };
  const size_t program =
      std::max(place(LastOf(kProgramSigns, printed)), place(LastVersions(printed)));
  std::pair<size_t, Fault> last = {program, Fault::kProgram};
  for (const std::pair<size_t, Fault>& cause :
       {std::pair{place(LastCause(kDiskSigns, printed)), Fault::kDisk},
        std::pair{place(LastCause(kNodeSigns, printed)), Fault::kNode},
        std::pair{place(LastOf(kNetworkSigns, printed)), Fault::kNetwork}}) {
    if (cause.first > last.first) last = cause;
  }
  return last.second;
}

Fault FaultOfPull(int code, absl::string_view printed) {
  const Fault fault = FaultOfStep(code, printed);
  if (fault != Fault::kProgram) return fault;
  if (HasAny(kKindSigns, printed)) return Fault::kNode;
  if (HasAny(kImageSigns, printed)) return Fault::kProgram;
  // Of podman's own troubles no list is whole.
  return code == kRuntimeFailed || HasAny(kDaemonSigns, printed) ? Fault::kNode : Fault::kProgram;
}

bool IsRuntimesFault(absl::string_view runtime, int code, absl::string_view last_line) {
  if (code != kRuntimeFailed) return false;
  const absl::string_view name = runtime.substr(runtime.rfind('/') + 1);
  const auto begins_with = [last_line](std::initializer_list<absl::string_view> words) {
    return std::any_of(words.begin(), words.end(), [last_line](absl::string_view word) {
      return absl::StartsWith(last_line, word);
    });
  };
  if (name == "podman") return begins_with({"Error: ", "time=\""});
  // Its error is followed by where help is to be had.
  return name == "docker" && begins_with({"docker: ", "See 'docker ", "Run 'docker "});
}

absl::Status StepFailure(absl::string_view title, int code, absl::string_view printed,
                         Fault fault) {
  const std::string step = absl::StrCat("`", Printable(title, kLineBytesMax), "`");
  const std::string last = LastWords(printed);
  if (fault == Fault::kDisk) {
    return ErrnoStatus(ENOSPC, absl::StrCat(step, ": ", Printable(last, kLineBytesMax)));
  }
  std::string words = absl::StrCat(step, code < 0 ? " was killed by signal " : " ended with code ",
                                   code < 0 ? -code : code);
  if (!last.empty()) absl::StrAppend(&words, ": ", Printable(last, kLineBytesMax));
  switch (fault) {
    case Fault::kNetwork:
      absl::StrAppend(&words,
                      " (the node did not reach a server: its way to the package index, or a "
                      "proxy in `env`, is to be mended)");
      return absl::UnavailableError(words);
    case Fault::kNode:
      if (IsKill(code)) {
        absl::StrAppend(&words,
                        " (the node's memory ran out, or somebody killed it: ask for more "
                        "`memory`, or look at the node)");
      } else {
        absl::StrAppend(&words, " (the node is to blame: `baton doctor --node NAME` looks at it)");
      }
      return absl::UnavailableError(words);
    default:
      return absl::InvalidArgumentError(words);
  }
}

}  // namespace baton::worker
