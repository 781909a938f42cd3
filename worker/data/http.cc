#include "worker/data/http.h"

#include <curl/curl.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <filesystem>
#include <mutex>
#include <thread>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/atomic_file.h"
#include "common/printable.h"
#include "common/status.h"
#include "worker/data/http_fault.h"

namespace baton::worker {
namespace {

using std::chrono::milliseconds;

constexpr int kTriesMax = 5;  // in a row, without a byte in between
constexpr milliseconds kPauseFirst{500};
constexpr milliseconds kPauseMax{8'000};
constexpr size_t kWordsBytesMax = 300;  // of a server's answer in a message
// SHA-256 of nothing: the body of each of our requests. Debian's libcurl signs S3 only with it.
constexpr char kEmptyHash[] =
    "x-amz-content-sha256: e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

// One answer as it arrives.
struct Answer {
  CURL* curl = nullptr;
  const std::function<bool()>* cancelled = nullptr;
  std::string etag;
  std::string modified;
  int64_t bytes = -1;
  // What takes the body of a good answer; a bad one's goes into `words`.
  std::function<bool(absl::string_view)> take;
  std::string words;
  absl::Status refused;  // by `take`
  int64_t taken = 0;
};

long CodeOf(CURL* curl) {
  long code = 0;
  curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &code);
  return code;
}

size_t OnBody(char* data, size_t size, size_t count, void* user) {
  auto* answer = static_cast<Answer*>(user);
  const absl::string_view bytes(data, size * count);
  const long code = CodeOf(answer->curl);
  if (code < 200 || code > 299) {
    const size_t room = kWordsBytesMax - std::min(kWordsBytesMax, answer->words.size());
    absl::StrAppend(&answer->words, bytes.substr(0, room));
    return bytes.size();
  }
  if (!answer->take(bytes)) return 0;
  answer->taken += static_cast<int64_t>(bytes.size());
  return bytes.size();
}

size_t OnHeader(char* data, size_t size, size_t count, void* user) {
  auto* answer = static_cast<Answer*>(user);
  const absl::string_view line(data, size * count);
  if (absl::StartsWith(line, "HTTP/")) {  // the next answer of a redirection
    answer->etag.clear();
    answer->modified.clear();
    answer->bytes = -1;
  }
  const size_t colon = line.find(':');
  if (colon == absl::string_view::npos) return line.size();
  const std::string name = absl::AsciiStrToLower(line.substr(0, colon));
  const absl::string_view value = absl::StripAsciiWhitespace(line.substr(colon + 1));
  if (name == "etag") answer->etag = std::string(value);
  if (name == "last-modified") answer->modified = std::string(value);
  int64_t number = 0;
  if (name == "content-length" && absl::SimpleAtoi(value, &number)) answer->bytes = number;
  return line.size();
}

int OnProgress(void* user, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
  return (*static_cast<Answer*>(user)->cancelled)() ? 1 : 0;
}

// Where the content goes; opened for the time of one fetch.
class PartFile {
 public:
  explicit PartFile(const std::string& path) : path_(path) {
    fd_ = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd_ < 0) status_ = ErrnoStatus(errno, path);
  }
  ~PartFile() {
    if (fd_ >= 0) close(fd_);
  }
  PartFile(const PartFile&) = delete;
  PartFile& operator=(const PartFile&) = delete;

  const absl::Status& status() const { return status_; }
  int64_t size() const {
    struct stat info {};
    return fstat(fd_, &info) == 0 ? info.st_size : 0;
  }
  bool Restart() { return Note(ftruncate(fd_, 0) == 0); }
  bool Append(absl::string_view bytes) {
    const int64_t end = size();
    size_t done = 0;
    while (done < bytes.size()) {
      const ssize_t n =
          pwrite(fd_, bytes.data() + done, bytes.size() - done, end + static_cast<int64_t>(done));
      if (n <= 0) return Note(false);
      done += static_cast<size_t>(n);
    }
    return true;
  }
  absl::Status Sync() {
    Note(fdatasync(fd_) == 0);
    return status_;
  }

 private:
  bool Note(bool good) {
    if (!good && status_.ok()) status_ = ErrnoStatus(errno, path_);
    return good;
  }

  const std::string path_;
  int fd_ = -1;
  absl::Status status_;
};

// A file that can't fit is not begun.
absl::Status CheckRoom(const std::string& path, int64_t bytes, const std::string& shown) {
  struct statvfs disk {};
  const std::string folder = std::filesystem::path(path).parent_path().string();
  if (bytes <= 0 || statvfs(folder.c_str(), &disk) != 0) return absl::OkStatus();
  const int64_t free_bytes =
      static_cast<int64_t>(disk.f_bavail) * static_cast<int64_t>(disk.f_frsize);
  if (bytes < free_bytes) return absl::OkStatus();
  return absl::ResourceExhaustedError(
      absl::StrCat(shown, " has ", bytes >> 20, " MiB and the node's disk ", free_bytes >> 20,
                   " MiB free; make room on the node, or give the worker a larger --dir"));
}

std::string ValidatorOf(const Answer& answer) {
  // A weak ETag does not promise the same bytes, yet tells of a change.
  if (!answer.etag.empty()) return answer.etag;
  if (!answer.modified.empty() && answer.bytes >= 0) {
    return absl::StrCat(answer.modified, " ", answer.bytes);
  }
  return "";
}

}  // namespace

struct HttpClient::State {
  std::function<bool()> cancelled;
  CURL* curl = nullptr;

  void Prepare(const WebSource& source, Answer* answer, curl_slist** headers) {
    curl_easy_reset(curl);
    answer->curl = curl;
    answer->cancelled = &cancelled;
    curl_easy_setopt(curl, CURLOPT_URL, source.url.c_str());
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(curl, CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, source.is_s3 ? 0L : 1L);
    curl_easy_setopt(curl, CURLOPT_MAXREDIRS, 10L);
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, 10L);
    curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, 1L);
    curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, 30L);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, OnProgress);
    curl_easy_setopt(curl, CURLOPT_XFERINFODATA, answer);
    curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, OnHeader);
    curl_easy_setopt(curl, CURLOPT_HEADERDATA, answer);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, OnBody);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, answer);
    curl_easy_setopt(curl, CURLOPT_USERAGENT, "baton-worker");
    const S3Identity& identity = source.identity;
    if (!source.is_s3 || identity.access_key.empty()) return;
    curl_easy_setopt(curl, CURLOPT_AWS_SIGV4,
                     absl::StrCat("aws:amz:", identity.region, ":s3").c_str());
    curl_easy_setopt(curl, CURLOPT_USERNAME, identity.access_key.c_str());
    curl_easy_setopt(curl, CURLOPT_PASSWORD, identity.secret_key.c_str());
    *headers = curl_slist_append(*headers, kEmptyHash);
    if (!identity.session_token.empty()) {
      *headers = curl_slist_append(
          *headers, absl::StrCat("x-amz-security-token: ", identity.session_token).c_str());
    }
  }

  // One request. OK for 2xx, Unavailable where another try may help.
  absl::Status Perform(const WebSource& source, Answer* answer, curl_slist* headers) {
    if (headers != nullptr) curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    const CURLcode code = curl_easy_perform(curl);
    curl_slist_free_all(headers);
    if (cancelled()) return absl::CancelledError("given up");
    if (!answer->refused.ok()) return answer->refused;
    if (code != CURLE_OK) {
      return absl::Status(StatusOfTransfer(code),
                          absl::StrCat(source.shown, ": ", curl_easy_strerror(code)));
    }
    return StatusOf(source, *answer);
  }

  absl::Status StatusOf(const WebSource& source, const Answer& answer) const {
    const long code = CodeOf(curl);
    if (code >= 200 && code <= 299) return absl::OkStatus();
    std::string text = absl::StrCat(source.shown, ": HTTP status ", code);
    if (!answer.words.empty()) absl::StrAppend(&text, " (", Printable(answer.words), ")");
    const absl::StatusCode status = StatusOfAnswer(code);
    if (status != absl::StatusCode::kInvalidArgument) return absl::Status(status, text);
    if (source.is_s3 && (code == 401 || code == 403)) {
      absl::StrAppend(&text, source.identity.access_key.empty()
                                 ? "; give the job AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY by "
                                   "--secret, or the worker by its environment"
                                 : "; the key in AWS_ACCESS_KEY_ID may not read it");
    } else if (source.is_s3 && code >= 300 && code <= 399) {
      absl::StrAppend(&text, "; the bucket is in another region: set AWS_REGION");
    }
    return absl::InvalidArgumentError(text);
  }

  void Pause(milliseconds pause) const {
    for (milliseconds waited{0}; waited < pause && !cancelled(); waited += milliseconds(50)) {
      std::this_thread::sleep_for(milliseconds(50));
    }
  }

  // Again and again while it may help; `progressed` says whether the last try brought any bytes.
  absl::Status Patiently(const std::function<absl::Status(bool* progressed)>& attempt) const {
    milliseconds pause = kPauseFirst;
    for (int tries = 1;; ++tries) {
      bool progressed = false;
      const absl::Status status = attempt(&progressed);
      if (!absl::IsUnavailable(status)) return status;
      if (progressed) {
        tries = 0;
        pause = kPauseFirst;
      }
      if (tries >= kTriesMax) return status;
      Pause(pause);
      if (cancelled()) return absl::CancelledError("given up");
      pause = std::min(pause * 2, kPauseMax);
    }
  }
};

HttpClient::HttpClient(std::function<bool()> cancelled) : state_(std::make_unique<State>()) {
  static std::once_flag once;
  std::call_once(once, [] { curl_global_init(CURL_GLOBAL_DEFAULT); });
  state_->cancelled = std::move(cancelled);
  state_->curl = curl_easy_init();
}

HttpClient::~HttpClient() {
  if (state_->curl != nullptr) curl_easy_cleanup(state_->curl);
}

absl::StatusOr<WebFacts> HttpClient::Look(const WebSource& source) {
  if (state_->curl == nullptr) return absl::InternalError("libcurl did not start");
  WebFacts facts;
  BATON_RETURN_IF_ERROR(state_->Patiently([&](bool*) {
    Answer answer;
    answer.take = [](absl::string_view) { return true; };
    curl_slist* headers = nullptr;
    state_->Prepare(source, &answer, &headers);
    curl_easy_setopt(state_->curl, CURLOPT_NOBODY, 1L);
    const absl::Status status = state_->Perform(source, &answer, headers);
    facts = {answer.bytes, ValidatorOf(answer)};
    return status;
  }));
  return facts;
}

absl::Status HttpClient::Fetch(const WebSource& source, const std::string& path,
                               const std::string& validator) {
  if (state_->curl == nullptr) return absl::InternalError("libcurl did not start");
  PartFile part(path);
  BATON_RETURN_IF_ERROR(part.status());
  // Only a strong ETag promises that the rest belongs to what is there.
  const bool resumes = absl::StartsWith(validator, "\"");
  const auto fetch = [&](bool* progressed) {
    if (!resumes && !part.Restart()) return part.status();
    const int64_t from = part.size();
    Answer answer;
    curl_slist* headers = nullptr;
    state_->Prepare(source, &answer, &headers);
    const std::string range = absl::StrCat(from, "-");
    // S3 has the one condition, which it refuses by 412, and the web the other.
    const std::string condition =
        absl::StrCat(source.is_s3 ? "If-Match: " : "If-Range: ", validator);
    if (from > 0) {
      curl_easy_setopt(state_->curl, CURLOPT_RANGE, range.c_str());
      headers = curl_slist_append(headers, condition.c_str());
    }
    answer.take = [&](absl::string_view bytes) {
      if (answer.taken == 0) {
        // The whole file in the place of its rest: it has changed, or the server knows no ranges.
        if (CodeOf(state_->curl) == 200 && from > 0 && !part.Restart()) return false;
        answer.refused = CheckRoom(path, answer.bytes, source.shown);
        if (!answer.refused.ok()) return false;
      }
      if (part.Append(bytes)) return true;
      answer.refused = part.status();
      return false;
    };
    absl::Status status = state_->Perform(source, &answer, headers);
    *progressed = answer.taken > 0;
    if (absl::IsOutOfRange(status)) {  // there is nothing behind what is there, or it has changed
      if (!part.Restart()) return part.status();
      return absl::UnavailableError(status.message());
    }
    return status;
  };
  BATON_RETURN_IF_ERROR(state_->Patiently(fetch));
  return part.Sync();
}

absl::StatusOr<std::string> HttpClient::Read(const WebSource& source, size_t bytes_max) {
  if (state_->curl == nullptr) return absl::InternalError("libcurl did not start");
  std::string text;
  BATON_RETURN_IF_ERROR(state_->Patiently([&](bool*) {
    text.clear();
    Answer answer;
    answer.take = [&](absl::string_view bytes) {
      if (text.size() + bytes.size() > bytes_max) {
        answer.refused = absl::InvalidArgumentError(
            absl::StrCat(source.shown, ": the answer is longer than ", bytes_max, " bytes"));
        return false;
      }
      absl::StrAppend(&text, bytes);
      return true;
    };
    curl_slist* headers = nullptr;
    state_->Prepare(source, &answer, &headers);
    return state_->Perform(source, &answer, headers);
  }));
  return text;
}

}  // namespace baton::worker
