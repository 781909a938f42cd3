#include "worker/link/prober.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <deque>
#include <list>
#include <mutex>
#include <set>
#include <thread>
#include <utility>

#include "absl/strings/ascii.h"
#include "common/atomic_file.h"
#include "common/clock.h"
#include "common/ids.h"
#include "common/status.h"
#include "worker/link/probe_answers.h"
#include "worker/link/socket.h"

namespace baton::worker {
namespace {

constexpr size_t kDialledMax = 32;
constexpr size_t kWaitingMax = 100'000;
constexpr int64_t kTimeoutMs = 2'000;

std::string Words(int error) {
  std::string words = std::strerror(error);
  if (!words.empty()) words[0] = absl::ascii_tolower(static_cast<unsigned char>(words[0]));
  return words;
}

struct Dial {
  ProbeTarget target;
  Descriptor socket;
  std::string nonce;
  std::string in;
  bool connected = false;
  int64_t until_ms = 0;
  bool over = false;
  std::string error;

  void End(const std::string& why) {
    over = true;
    error = why;
  }

  void Begin(int64_t now_ms) {
    until_ms = now_ms + kTimeoutMs;
    nonce = RandomId();
    const auto to = ToSocketAddress(target.address, target.port);
    if (!to.ok()) return End(std::string(to.status().message()));
    socket = Descriptor(::socket(to->family(), SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (socket.get() < 0) return End(Words(errno));
    if (connect(socket.get(), to->get(), to->size) != 0 && errno != EINPROGRESS) End(Words(errno));
  }

  void OnReady() {
    if (connected) return OnBytes();
    int error_number = 0;
    socklen_t size = sizeof(error_number);
    if (getsockopt(socket.get(), SOL_SOCKET, SO_ERROR, &error_number, &size) != 0) {
      error_number = errno;
    }
    if (error_number != 0) return End(Words(error_number));
    connected = true;
    const std::string line = ProbeLine(nonce, target.node);
    if (send(socket.get(), line.data(), line.size(), MSG_NOSIGNAL) !=
        static_cast<ssize_t>(line.size())) {
      End(Words(errno));
    }
  }

  void OnBytes() {
    char bytes[kProbeLineMax];
    const ssize_t n = recv(socket.get(), bytes, sizeof(bytes), 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (n < 0) return End(Words(errno));
    in.append(bytes, static_cast<size_t>(n));
    if (n > 0 && in.find('\n') == std::string::npos && in.size() < kProbeLineMax) return;
    const bool good = in == AnswerLine(nonce, target.node);
    End(good ? "" : "what answers there is not the worker of that node");
  }
};

}  // namespace

struct Prober::State {
  Tell tell;
  Descriptor wake;
  std::atomic<bool> ending{false};
  std::list<Dial> dials;  // of the thread alone
  std::thread thread;

  std::mutex mutex;  // protects what follows
  std::deque<ProbeTarget> waiting;
  std::set<std::pair<std::string, int>> known;  // waiting or dialled

  ~State() { Stop(); }

  void Stop() {
    ending = true;
    (void)eventfd_write(wake.get(), 1);
    if (thread.joinable()) thread.join();
  }

  void Run() {
    while (!ending) {
      BeginSome(SystemClock().MonotonicMillis());
      Wait();
      const int64_t now_ms = SystemClock().MonotonicMillis();
      for (Dial& dial : dials) {
        if (!dial.over && now_ms >= dial.until_ms) {
          dial.End(dial.connected ? "nothing answered within 2 s" : "connection timed out");
        }
      }
      TellOver();
    }
  }

  void BeginSome(int64_t now_ms) {
    std::lock_guard<std::mutex> lock(mutex);
    while (dials.size() < kDialledMax && !waiting.empty()) {
      dials.emplace_back();
      dials.back().target = std::move(waiting.front());
      waiting.pop_front();
      dials.back().Begin(now_ms);
    }
  }

  // Until something has come, or 50 ms while something is on its way.
  void Wait() {
    std::vector<pollfd> waits = {{wake.get(), POLLIN, 0}};
    bool over = false;
    for (const Dial& dial : dials) {
      over = over || dial.over;
      const short events = dial.connected ? POLLIN : POLLOUT;
      waits.push_back({dial.over ? -1 : dial.socket.get(), events, 0});
    }
    (void)poll(waits.data(), waits.size(), over ? 0 : dials.empty() ? -1 : 50);
    if (waits[0].revents != 0) {
      eventfd_t count = 0;
      (void)eventfd_read(wake.get(), &count);
    }
    size_t at = 1;
    for (Dial& dial : dials) {
      if (!dial.over && waits[at].revents != 0) dial.OnReady();
      ++at;
    }
  }

  void TellOver() {
    std::vector<ProbeFinding> found;
    {
      std::lock_guard<std::mutex> lock(mutex);
      for (auto it = dials.begin(); it != dials.end();) {
        if (!it->over) {
          ++it;
          continue;
        }
        known.erase({it->target.node, it->target.port});
        found.push_back({it->target.node, it->target.port, it->error});
        it = dials.erase(it);
      }
    }
    if (!found.empty()) tell(found);
  }
};

absl::StatusOr<std::unique_ptr<Prober>> Prober::Start(Tell tell) {
  auto state = std::make_unique<State>();
  state->tell = std::move(tell);
  state->wake = Descriptor(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (state->wake.get() < 0) return ErrnoStatus(errno, "make an eventfd");
  state->thread = std::thread([raw = state.get()] { raw->Run(); });
  return std::unique_ptr<Prober>(new Prober(std::move(state)));
}

Prober::Prober(std::unique_ptr<State> state) : state_(std::move(state)) {}
Prober::~Prober() = default;

void Prober::Stop() { state_->Stop(); }

void Prober::Ask(const std::vector<ProbeTarget>& targets) {
  {
    std::lock_guard<std::mutex> lock(state_->mutex);
    for (const ProbeTarget& target : targets) {
      if (state_->waiting.size() >= kWaitingMax) break;  // asked for again, being untold
      if (!state_->known.insert({target.node, target.port}).second) continue;
      state_->waiting.push_back(target);
    }
  }
  (void)eventfd_write(state_->wake.get(), 1);
}

}  // namespace baton::worker
