// NCCL as its guide (2.28) has it, of which the CUDA backend uses messages between ranks on
// non-blocking communicators. What the guide leaves undefined ends the program, in words.
//   BATON_FAKE_NCCL_VERSION  the version that it says it has
//   BATON_FAKE_NCCL_FAIL     1: no communicator comes to be, as where ranks can't reach each other
#include <dlfcn.h>
#include <nccl.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <set>
#include <thread>
#include <utility>

#include "tests/fakes/cuda/hooks.h"
#include "tests/fakes/cuda/nccl_mesh.h"

extern "C" __attribute__((weak)) const baton::fake_cuda::Hooks* BatonFakeCudaHooks();

namespace baton::fake_cuda {
namespace {

// The cards of this process: linked to it, or inside the backend's object, which is loaded already.
const Hooks& Cards() {
  static const Hooks* hooks = [] {
    using Find = const Hooks*();
    if (BatonFakeCudaHooks != nullptr) return BatonFakeCudaHooks();
    void* object = dlopen("libbaton_backend_cuda.so", RTLD_NOW | RTLD_NOLOAD);
    auto* find =
        object == nullptr ? nullptr : reinterpret_cast<Find*>(dlsym(object, "BatonFakeCudaHooks"));
    if (find == nullptr) Broken("the simulated cards' object is not loaded");
    return find();
  }();
  return *hooks;
}

// What a communicator and the work in its stream share.
struct Link {
  int device = 0, size = 0;
  std::atomic<bool> aborted{false};
  std::vector<std::unique_ptr<Peer>> peers;
};

// The messages of one group: a piece of work in a stream.
struct Exchange {
  std::shared_ptr<Link> link;
  std::vector<Sending> sends;
  std::vector<Receiving> receives;

  bool Go() {
    // An abort leaves anything in what was received.
    if (link->aborted) {
      for (const Receiving& message : receives) {
        std::memset(message.to, 0xFF, message.count * sizeof(float));
      }
      return true;
    }
    CopyOwn();
    const auto is_done = [&](auto& message) {
      return link->peers[static_cast<size_t>(message.peer)]->Go(message);
    };
    // Receives first: their peers are to know of all of them.
    std::erase_if(receives, is_done);
    std::erase_if(sends, is_done);
    return sends.empty() && receives.empty();
  }

 private:
  bool IsOwn(int peer) const { return link->peers[static_cast<size_t>(peer)] == nullptr; }

  // A rank that sends to itself also receives from itself, in the same group.
  void CopyOwn() {
    const auto is_own = [&](const auto& message) { return IsOwn(message.peer); };
    const auto sent = std::find_if(sends.begin(), sends.end(), is_own);
    const auto received = std::find_if(receives.begin(), receives.end(), is_own);
    if (sent == sends.end() && received == receives.end()) return;
    if (sent == sends.end() || received == receives.end() || sent->count != received->count) {
      Broken("a message to oneself that is not received as it is sent");
    }
    std::memmove(received->to, sent->from, sent->count * sizeof(float));
    sends.erase(sent);
    receives.erase(received);
  }
};

}  // namespace
}  // namespace baton::fake_cuda

struct ncclComm {
  std::shared_ptr<baton::fake_cuda::Link> link = std::make_shared<baton::fake_cuda::Link>();
  std::mutex mutex;
  ncclResult_t state = ncclInProgress;             // under the mutex
  std::thread worker;                              // has the last call's work
  std::shared_ptr<baton::fake_cuda::Queue> queue;  // of the first message
  unsigned groups = 0;
  std::atomic<std::thread::id> user{};  // whose group has messages of it

  ncclResult_t State() {
    const std::lock_guard<std::mutex> lock(mutex);
    return state;
  }
  void Become(ncclResult_t result) {
    const std::lock_guard<std::mutex> lock(mutex);
    state = result;
  }
};

namespace baton::fake_cuda {
namespace {

struct Registry {
  std::mutex mutex;
  std::set<ncclComm*> live;
};
Registry& All() {
  static Registry& registry = *new Registry;
  return registry;
}

void RequireLive(ncclComm* comm, const char* call) {
  Registry& all = All();
  const std::lock_guard<std::mutex> lock(all.mutex);
  if (all.live.count(comm) == 0) {
    Broken(std::string(call) + " of a communicator that is none, or no more");
  }
}

// A group belongs to the thread that began it.
struct OpenGroup {
  int depth = 0;
  ncclComm* comm = nullptr;
  std::shared_ptr<Queue> queue;
  std::shared_ptr<Exchange> exchange;
  ncclResult_t failure = ncclSuccess;
};
thread_local OpenGroup group;

int Setting(const char* name, int otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr || *text == '\0' ? otherwise : std::atoi(text);
}

// What every message's call checks.
ncclResult_t Check(const void* memory, size_t count, ncclDataType_t type, int peer, ncclComm* comm,
                   cudaStream_t stream) {
  RequireLive(comm, "a message");
  const ncclResult_t state = comm->State();
  if (state == ncclInProgress) return ncclInvalidArgument;  // before the last call was taken in
  if (state != ncclSuccess) return state;
  if (type != ncclFloat32) Broken("messages of other values than floats are not simulated");
  if (peer < 0 || peer >= comm->link->size) return ncclInvalidArgument;
  const std::shared_ptr<Queue> queue = Cards().queue_of(stream);
  if (Cards().device_of(*queue) != comm->link->device) return ncclInvalidUsage;
  if (comm->queue == nullptr) comm->queue = queue;
  if (comm->queue != queue) Broken("one communicator in several streams is not simulated");
  Cards().require_card(memory, count * sizeof(float), comm->link->device, "a message of NCCL");
  const std::thread::id self = std::this_thread::get_id();
  if (group.comm == nullptr) {
    std::thread::id nobody{};
    if (!comm->user.compare_exchange_strong(nobody, self)) {
      Broken("two threads use one communicator at once");
    }
    group.comm = comm;
    group.queue = queue;
    group.exchange = std::make_shared<Exchange>();
    group.exchange->link = comm->link;
  }
  if (group.comm != comm) Broken("groups over several communicators are not simulated");
  return ncclSuccess;
}

// Into the group that is open, or one of its own.
template <class Add>
ncclResult_t AddMessage(const void* memory, size_t count, ncclDataType_t type, int peer,
                        ncclComm* comm, cudaStream_t stream, const Add& add) {
  ncclGroupStart();
  const ncclResult_t checked = Check(memory, count, type, peer, comm, stream);
  if (checked == ncclSuccess && count > 0) add(*group.exchange);
  if (checked != ncclSuccess && group.failure == ncclSuccess) group.failure = checked;
  const ncclResult_t ended = ncclGroupEnd();
  return checked == ncclSuccess ? ended : checked;
}

template <class Messages>
void RequireOneEach(const Messages& messages) {
  std::set<int> peers;
  for (const auto& message : messages) {
    if (!peers.insert(message.peer).second) {
      Broken("several messages of one group to or from one peer are not simulated");
    }
  }
}

// Gives a group's work to its stream; not always before the call returns.
ncclResult_t Launch(OpenGroup& whole) {
  ncclComm* comm = whole.comm;
  RequireOneEach(whole.exchange->sends);
  RequireOneEach(whole.exchange->receives);
  const auto give = [queue = whole.queue, exchange = whole.exchange] {
    if (Cards().give(queue, [exchange] { return exchange->Go(); }) == cudaSuccess) {
      return ncclSuccess;
    }
    return ncclUnhandledCudaError;
  };
  const unsigned turn = comm->groups++ % 3;
  if (turn == 0) {
    const ncclResult_t given = give();
    comm->Become(given);
    return given;
  }
  comm->Become(ncclInProgress);
  if (comm->worker.joinable()) comm->worker.join();
  comm->worker = std::thread([comm, give, turn] {
    std::this_thread::sleep_for(std::chrono::microseconds(50 * turn));
    comm->Become(give());
  });
  return ncclInProgress;
}

void Initialize(ncclComm* comm, const Meeting& meeting) {
  bool shared = false;
  comm->link->peers = Meet(meeting, comm->link->aborted, &shared);
  if (comm->link->aborted) return;
  comm->Become(shared                                    ? ncclInvalidUsage
               : Setting("BATON_FAKE_NCCL_FAIL", 0) != 0 ? ncclSystemError
                                                         : ncclSuccess);
}

}  // namespace

extern "C" {
ncclResult_t ncclGetVersion(int* version) {
  *version = Setting("BATON_FAKE_NCCL_VERSION", NCCL_VERSION_CODE);
  return ncclSuccess;
}

const char* ncclGetErrorString(ncclResult_t result) {
  switch (result) {
    case ncclSuccess:
      return "no error";
    case ncclUnhandledCudaError:
      return "unhandled cuda error";
    case ncclSystemError:
      return "unhandled system error";
    case ncclInvalidArgument:
      return "invalid argument";
    case ncclInvalidUsage:
      return "invalid usage";
    case ncclRemoteError:
      return "remote process exited or there was a network error";
    case ncclInProgress:
      return "NCCL operation in progress";
    default:
      return "internal error";
  }
}

ncclResult_t ncclGetUniqueId(ncclUniqueId* id) {
  // Unique on this machine.
  static std::atomic<unsigned> calls{0};
  const auto now = std::chrono::steady_clock::now().time_since_epoch().count();
  std::memset(id->internal, 0, sizeof(id->internal));
  std::snprintf(id->internal, sizeof(id->internal), "%08x%016llx%08x",
                static_cast<unsigned>(getpid()), static_cast<unsigned long long>(now), ++calls);
  return ncclSuccess;
}

ncclResult_t ncclCommInitRankConfig(ncclComm_t* made, int size, ncclUniqueId id, int rank,
                                    ncclConfig_t* config) {
  if (size < 1 || rank < 0 || rank >= size || config->magic != 0xcafebeef) {
    return ncclInvalidArgument;
  }
  if (config->blocking != 0) Broken("blocking communicators are not simulated");
  id.internal[32] = '\0';
  if (std::strlen(id.internal) != 32) return ncclInvalidArgument;
  auto* comm = new ncclComm;
  comm->link->device = Cards().current_device();
  comm->link->size = size;
  {
    Registry& all = All();
    const std::lock_guard<std::mutex> lock(all.mutex);
    all.live.insert(comm);
  }
  const Meeting meeting{id.internal, rank, size, comm->link->device};
  comm->worker = std::thread([comm, meeting] { Initialize(comm, meeting); });
  *made = comm;
  return ncclInProgress;
}

ncclResult_t ncclCommGetAsyncError(ncclComm_t comm, ncclResult_t* state) {
  RequireLive(comm, "ncclCommGetAsyncError");
  *state = comm->State();
  return ncclSuccess;
}

ncclResult_t ncclCommAbort(ncclComm_t comm) {
  RequireLive(comm, "ncclCommAbort");
  comm->link->aborted = true;
  if (comm->worker.joinable()) comm->worker.join();
  {
    Registry& all = All();
    const std::lock_guard<std::mutex> lock(all.mutex);
    all.live.erase(comm);
  }
  delete comm;
  return ncclSuccess;
}

ncclResult_t ncclGroupStart() {
  ++group.depth;
  return ncclSuccess;
}

ncclResult_t ncclGroupEnd() {
  if (group.depth == 0) return ncclInvalidUsage;
  if (--group.depth > 0) return ncclSuccess;
  OpenGroup whole = std::exchange(group, {});
  if (whole.comm == nullptr) return whole.failure;
  const bool any = !whole.exchange->sends.empty() || !whole.exchange->receives.empty();
  const ncclResult_t result = whole.failure != ncclSuccess || !any ? whole.failure : Launch(whole);
  whole.comm->user = std::thread::id{};
  return result;
}

ncclResult_t ncclSend(const void* from, size_t count, ncclDataType_t type, int peer,
                      ncclComm_t comm, cudaStream_t stream) {
  return AddMessage(from, count, type, peer, comm, stream, [&](Exchange& exchange) {
    exchange.sends.push_back({peer, static_cast<const float*>(from), count});
  });
}

ncclResult_t ncclRecv(void* to, size_t count, ncclDataType_t type, int peer, ncclComm_t comm,
                      cudaStream_t stream) {
  return AddMessage(to, count, type, peer, comm, stream, [&](Exchange& exchange) {
    exchange.receives.push_back({peer, static_cast<float*>(to), count});
  });
}
}  // extern "C"

}  // namespace baton::fake_cuda
