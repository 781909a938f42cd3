#include "worker/notice/cloud.h"

#include <unistd.h>

#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "common/atomic_file.h"
#include "common/clock.h"
#include "common/log.h"
#include "worker/notice/aws.h"
#include "worker/notice/azure.h"
#include "worker/notice/gcp.h"
#include "worker/notice/metadata_client.h"

namespace baton::worker {
namespace {

using Talks = std::vector<std::unique_ptr<MetadataTalk>>;

struct Cloud {
  const char* name;
  const char* shown;
  const char* url;
  MetadataRequest (*probe)();
  bool (*is)(const MetadataReply& reply);
  Talks (*talks)(bool has_gpus, int64_t promised_ms);
};

template <typename... T>
Talks List(std::unique_ptr<T>... talk) {
  Talks talks;
  (talks.push_back(std::move(talk)), ...);
  return talks;
}

const Cloud kClouds[] = {
    {"aws", "AWS", "http://169.254.169.254", AwsProbe, IsAws,
     [](bool, int64_t) { return List(AwsTalk()); }},
    {"gcp", "GCP", "http://metadata.google.internal", GcpProbe, IsGcp,
     [](bool has_gpus, int64_t promised_ms) {
       return List(GcpPreemptedTalk(), GcpMaintenanceTalk(has_gpus, promised_ms));
     }},
    {"azure", "Azure", "http://169.254.169.254", AzureProbe, IsAzure,
     [](bool, int64_t) { return List(AzureTalk()); }},
};

// A network that comes up after the worker is waited for.
constexpr int64_t kProbeMs = 120'000;
constexpr int64_t kProbeEveryMs = 5'000;

class Source : public NoticeSource {
 public:
  explicit Source(const CloudOptions& options) : options_(options) {
    for (const Cloud& cloud : kClouds) {
      const auto named = options.urls.find(cloud.name);
      if (named != options.urls.end()) {
        Begin(cloud, named->second);
      } else if (options.urls.empty()) {
        Start([this, &cloud] { Probe(cloud); });
      }
    }
  }

  ~Source() override {
    {
      const std::lock_guard lock(mutex_);
      ended_ = true;
    }
    wake_.notify_all();
    // A thread may start one more until it has seen the end.
    for (size_t i = 0;; ++i) {
      std::thread thread;
      {
        const std::lock_guard lock(mutex_);
        if (i == threads_.size()) return;
        thread = std::move(threads_[i]);
      }
      thread.join();
    }
  }

  std::vector<Event> Poll(int64_t /*unix_ms*/) override {
    const std::lock_guard lock(mutex_);
    return std::exchange(events_, {});
  }

  void SetIdle(bool idle) override {
    const std::lock_guard lock(mutex_);
    for (MetadataTalk* talk : talks_) {
      if (talk->WaitsForIdle()) talk->SetIdle(machine_.Set(idle));
    }
  }

 private:
  std::string PromiseFile() const { return options_.folder + "/promised_end"; }

  int64_t Promised() const {
    int64_t ms = 0;
    const absl::StatusOr<std::string> text =
        options_.folder.empty() ? absl::NotFoundError("no folder") : ReadFile(PromiseFile());
    return text.ok() && absl::SimpleAtoi(*text, &ms) ? ms : 0;
  }

  // Caller holds the mutex.
  void Promise(const MetadataTalk* talk) {
    const int64_t ms = talk->promised_ms();
    if (options_.folder.empty() || (promises_ == talk && ms == promised_ms_)) return;
    promises_ = ms == 0 ? nullptr : talk;
    promised_ms_ = ms;
    if (ms == 0) {
      (void)unlink(PromiseFile().c_str());
      return;
    }
    const absl::Status kept = WriteFileAtomically(PromiseFile(), absl::StrCat(ms));
    if (!kept.ok()) LogWarning(std::string(kept.message()));
  }

  void Start(std::function<void()> body) {
    const std::lock_guard lock(mutex_);
    if (!ended_) threads_.emplace_back(std::move(body));
  }

  bool HasEnded() {
    const std::lock_guard lock(mutex_);
    return ended_;
  }

  // False at the end.
  bool Wait(int64_t ms) {
    std::unique_lock lock(mutex_);
    return !wake_.wait_for(lock, std::chrono::milliseconds(ms), [this] { return ended_; });
  }

  void Probe(const Cloud& cloud) {
    MetadataClient client(cloud.url, [this] { return HasEnded(); });
    const int64_t until_ms = SystemClock().UnixMillis() + kProbeMs;
    do {
      if (cloud.is(client.Ask(cloud.probe()))) {
        {
          const std::lock_guard lock(mutex_);
          if (std::exchange(found_, true)) return;
        }
        Begin(cloud, cloud.url);
        return;
      }
      {
        const std::lock_guard lock(mutex_);
        if (found_) return;
      }
    } while (SystemClock().UnixMillis() < until_ms && Wait(kProbeEveryMs));
  }

  void Begin(const Cloud& cloud, const std::string& url) {
    LogInfo(absl::StrCat("notices of ", cloud.shown, " are heard, by ", url));
    for (std::unique_ptr<MetadataTalk>& talk : cloud.talks(options_.has_gpus, Promised())) {
      {
        const std::lock_guard lock(mutex_);
        talks_.push_back(talk.get());
        if (talk->promised_ms() != 0) {
          promises_ = talk.get();
          promised_ms_ = talk->promised_ms();
        }
      }
      Start([this, url, talk = std::shared_ptr<MetadataTalk>(std::move(talk))] {
        Talk(url, talk.get());
      });
    }
  }

  void Talk(const std::string& url, MetadataTalk* talk) {
    MetadataClient client(url, [this] { return HasEnded(); });
    while (!HasEnded()) {
      const MetadataRequest request = talk->Next(SystemClock().UnixMillis());
      if (!Wait(request.wait_ms)) break;
      const MetadataReply reply = client.Ask(request);
      const std::lock_guard lock(mutex_);
      for (Event& event : talk->Take(reply, SystemClock().UnixMillis(), &board_)) {
        events_.push_back(std::move(event));
      }
      if (talk->promised_ms() != 0 || promises_ == talk) Promise(talk);
    }
    const std::lock_guard lock(mutex_);
    std::erase(talks_, talk);
  }

  const CloudOptions options_;
  std::mutex mutex_;
  std::condition_variable wake_;
  bool ended_ = false;
  bool found_ = false;
  NoticeBoard board_{kLeastNoticeMs};
  std::vector<Event> events_;
  std::vector<MetadataTalk*> talks_;  // those that go on
  MachineIdle machine_{options_.machine_file};
  const MetadataTalk* promises_ = nullptr;  // who has promised what is kept in the file
  int64_t promised_ms_ = 0;
  std::vector<std::thread> threads_;
};

}  // namespace

absl::Status AddMetadataUrl(const std::string& text, CloudOptions* options) {
  const size_t equals = text.find('=');
  const std::string name = text.substr(0, equals);
  const std::string url = equals == std::string::npos ? "" : text.substr(equals + 1);
  for (const Cloud& cloud : kClouds) {
    if (name != cloud.name) continue;
    if (!absl::StartsWith(url, "http://") && !absl::StartsWith(url, "https://")) break;
    options->urls[name] = url.substr(0, url.find_last_not_of('/') + 1);
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(absl::StrCat(
      "'", text,
      "' is none; write CLOUD=URL, such as aws=http://127.0.0.1:8080 (aws, gcp, azure)"));
}

std::unique_ptr<NoticeSource> CloudNotice(const CloudOptions& options) {
  return std::make_unique<Source>(options);
}

}  // namespace baton::worker
