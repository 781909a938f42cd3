#include "trainer/backend/cuda/nccl.h"

#include <dlfcn.h>
#include <nccl.h>

#include <algorithm>
#include <chrono>
#include <thread>
#include <utility>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "common/status.h"

namespace baton::trainer::cuda {
namespace {

using SteadyClock = std::chrono::steady_clock;

// What is waited for actively before the thread sleeps between two looks.
constexpr std::chrono::microseconds kSpin{200};
constexpr std::chrono::microseconds kNap{50};
// Within which the hosts hear of a peer's end.
constexpr std::chrono::milliseconds kEndShows{300};

// The library takes as much of the header's configuration as it knows; what is set here is at its
// front. CUDA 13 came with 2.27.
constexpr int kOldest = NCCL_VERSION(2, 20, 3);

// The functions of the library, which stays loaded.
struct Library {
  decltype(&ncclGetVersion) version = nullptr;
  decltype(&ncclGetUniqueId) unique_id = nullptr;
  decltype(&ncclCommInitRankConfig) init = nullptr;
  decltype(&ncclCommGetAsyncError) async_error = nullptr;
  decltype(&ncclCommAbort) abort = nullptr;
  decltype(&ncclGroupStart) group_start = nullptr;
  decltype(&ncclGroupEnd) group_end = nullptr;
  decltype(&ncclSend) send = nullptr;
  decltype(&ncclRecv) receive = nullptr;
  decltype(&ncclGetErrorString) error_string = nullptr;
  int number = 0;  // its version; 0: there is none
};

template <class Function>
bool Find(void* object, const char* name, Function* function) {
  *function = reinterpret_cast<Function>(dlsym(object, name));
  return *function != nullptr;
}

Library Load() {
  Library library;
  void* object = dlopen("libnccl.so.2", RTLD_NOW | RTLD_LOCAL);
  if (object == nullptr) return library;
  int number = 0;
  const bool whole = Find(object, "ncclGetVersion", &library.version) &&
                     Find(object, "ncclGetUniqueId", &library.unique_id) &&
                     Find(object, "ncclCommInitRankConfig", &library.init) &&
                     Find(object, "ncclCommGetAsyncError", &library.async_error) &&
                     Find(object, "ncclCommAbort", &library.abort) &&
                     Find(object, "ncclGroupStart", &library.group_start) &&
                     Find(object, "ncclGroupEnd", &library.group_end) &&
                     Find(object, "ncclSend", &library.send) &&
                     Find(object, "ncclRecv", &library.receive) &&
                     Find(object, "ncclGetErrorString", &library.error_string);
  if (whole && library.version(&number) == ncclSuccess && number >= kOldest) {
    library.number = number;
  }
  return library;
}

const Library& Nccl() {
  static const Library library = Load();
  return library;
}

absl::Status Failure(ncclResult_t result) {
  const std::string message = absl::StrCat("NCCL: ", Nccl().error_string(result));
  if (result == ncclRemoteError) return absl::UnavailableError(message);
  return absl::InternalError(message);
}

class NcclGroup : public DeviceGroup {
 public:
  NcclGroup(int card, cudaStream_t stream, const DeviceGroupOptions& options)
      : card_(card), stream_(stream), options_(options) {}
  // Not destroyed as NCCL would like it: that waits for peers, which may be gone.
  ~NcclGroup() override { GiveUp(); }

  absl::Status Join() {
    ncclUniqueId id{};
    std::copy_n(options_.id.data(), std::min(options_.id.size(), sizeof(id.internal)), id.internal);
    ncclConfig_t config = NCCL_CONFIG_INITIALIZER;
    config.blocking = 0;
    cudaSetDevice(card_);
    BATON_RETURN_IF_ERROR(Settle(Nccl().init(&comm_, options_.size, id, options_.rank, &config)));
    return Greet();
  }

  absl::Status Start(absl::Span<const DeviceMessage> sends,
                     absl::Span<const DeviceMessage> receives) override {
    if (comm_ == nullptr) return absl::FailedPreconditionError("the group of cards was given up");
    cudaSetDevice(card_);
    // A call's own result matters less than the group's, which says all.
    ncclResult_t result = Nccl().group_start();
    for (const DeviceMessage& m : sends) {
      if (m.count == 0 || result != ncclSuccess) continue;
      result = Went(Nccl().send(m.at, m.count, ncclFloat32, m.peer, comm_, stream_));
    }
    for (const DeviceMessage& m : receives) {
      if (m.count == 0 || result != ncclSuccess) continue;
      result = Went(Nccl().receive(m.at, m.count, ncclFloat32, m.peer, comm_, stream_));
    }
    const ncclResult_t ended = Nccl().group_end();
    return Settle(result == ncclSuccess ? ended : result);
  }

  absl::Status Finish(std::chrono::milliseconds timeout) override {
    if (comm_ == nullptr) return absl::FailedPreconditionError("the group of cards was given up");
    cudaSetDevice(card_);
    return Wait(timeout, [this]() -> absl::StatusOr<bool> {
      const cudaError_t done = cudaStreamQuery(stream_);
      if (done == cudaSuccess) return true;
      cudaGetLastError();  // remembers that it was not ready as well
      if (done != cudaErrorNotReady) {
        return absl::InternalError(
            absl::StrCat("CUDA failed in an exchange: ", cudaGetErrorString(done)));
      }
      ncclResult_t state = ncclSuccess;
      const ncclResult_t asked = Nccl().async_error(comm_, &state);
      if (asked != ncclSuccess) state = asked;
      if (state != ncclSuccess && state != ncclInProgress) return Failure(state);
      return false;
    });
  }

 private:
  static ncclResult_t Went(ncclResult_t result) {
    return result == ncclInProgress ? ncclSuccess : result;
  }

  // A word with each peer, so that later calls find the connections there.
  absl::Status Greet() {
    const auto size = static_cast<size_t>(options_.size);
    float* words = nullptr;
    if (cudaMalloc(reinterpret_cast<void**>(&words), 2 * size * sizeof(float)) != cudaSuccess) {
      cudaGetLastError();
      return absl::ResourceExhaustedError("the card has no room to form a group");
    }
    std::vector<DeviceMessage> sends, receives;
    for (int peer = 0; peer < options_.size; ++peer) {
      if (peer == options_.rank) continue;
      sends.push_back({peer, words + peer, 1});
      receives.push_back({peer, words + size + peer, 1});
    }
    absl::Status status = Start(sends, receives);
    if (status.ok()) status = Finish(options_.timeout);
    cudaFree(words);
    return status;
  }

  // Until the group has taken the last call in.
  absl::Status Settle(ncclResult_t result) {
    if (result == ncclSuccess) return absl::OkStatus();
    if (result != ncclInProgress) {
      GiveUp();
      return Failure(result);
    }
    return Wait(options_.timeout, [this]() -> absl::StatusOr<bool> {
      ncclResult_t state = ncclSuccess;
      const ncclResult_t asked = Nccl().async_error(comm_, &state);
      if (asked != ncclSuccess) state = asked;
      if (state == ncclInProgress) return false;
      if (state != ncclSuccess) return Failure(state);
      return true;
    });
  }

  // Until `done`, a failure, a peer's end or the time is up; the last three end the group.
  absl::Status Wait(std::chrono::milliseconds timeout,
                    absl::FunctionRef<absl::StatusOr<bool>()> done) {
    const auto begin = SteadyClock::now();
    absl::Status failure;
    while (failure.ok()) {
      const absl::StatusOr<bool> is_done = done();
      if (is_done.ok() && *is_done) return absl::OkStatus();
      const auto waited = SteadyClock::now() - begin;
      failure = is_done.status();
      if (failure.ok()) {
        failure = PeersNow();
      } else {
        failure = OrPeersEnd(failure);
      }
      if (failure.ok() && waited > timeout) {
        failure = absl::DeadlineExceededError("another rank's card is silent");
      }
      if (failure.ok() && waited > kSpin) std::this_thread::sleep_for(kNap);
    }
    GiveUp();
    return failure;
  }

  absl::Status PeersNow() const { return options_.peers ? options_.peers() : absl::OkStatus(); }

  // Between nodes a peer's end may show as NCCL's failure before it is known for what it is.
  absl::Status OrPeersEnd(const absl::Status& failure) const {
    const auto end = SteadyClock::now() + kEndShows;
    while (SteadyClock::now() < end) {
      BATON_RETURN_IF_ERROR(PeersNow());
      std::this_thread::sleep_for(kNap);
    }
    return failure;
  }

  // Ends what is under way, here alone.
  void GiveUp() {
    if (comm_ == nullptr) return;
    cudaSetDevice(card_);
    Nccl().abort(std::exchange(comm_, nullptr));
  }

  const int card_;
  cudaStream_t stream_;
  const DeviceGroupOptions options_;
  ncclComm_t comm_ = nullptr;
};

}  // namespace

DeviceAddress NcclAddress(int card) {
  cudaDeviceProp properties{};
  if (Nccl().number == 0 || cudaGetDeviceProperties(&properties, card) != cudaSuccess) return {};
  const absl::string_view uuid(properties.uuid.bytes, sizeof(properties.uuid.bytes));
  return {absl::BytesToHexString(uuid), static_cast<uint64_t>(Nccl().number)};
}

absl::StatusOr<std::string> NewNcclId() {
  if (Nccl().number == 0) return absl::FailedPreconditionError("no NCCL was found here");
  ncclUniqueId id{};
  const ncclResult_t result = Nccl().unique_id(&id);
  if (result != ncclSuccess) return Failure(result);
  return std::string(id.internal, sizeof(id.internal));
}

absl::StatusOr<std::unique_ptr<DeviceGroup>> JoinNccl(int card, cudaStream_t stream,
                                                      const DeviceGroupOptions& options) {
  if (Nccl().number == 0) return absl::FailedPreconditionError("no NCCL was found here");
  auto group = std::make_unique<NcclGroup>(card, stream, options);
  BATON_RETURN_IF_ERROR(group->Join());
  return group;
}

}  // namespace baton::trainer::cuda
