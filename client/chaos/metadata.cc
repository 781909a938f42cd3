#include "client/chaos/metadata.h"

#include <httplib.h>

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"

namespace baton::client::chaos {
namespace {

Request RequestOf(const httplib::Request& wire) {
  Request request;
  request.method = wire.method;
  request.path = wire.path;
  for (const auto& [name, value] : wire.headers) {
    request.headers[absl::AsciiStrToLower(name)] = value;
  }
  for (const auto& [name, value] : wire.params) request.query[name] = value;
  return request;
}

}  // namespace

struct MetadataServer::State {
  Cloud cloud = Cloud::kAws;
  int port = 0;
  httplib::Server server;
  std::thread thread;

  std::mutex mutex;  // protects what follows
  std::condition_variable changed;
  Instance instance;
  bool ending = false;

  void Serve(const httplib::Request& wire, httplib::Response& response) {
    const Request request = RequestOf(wire);
    std::unique_lock<std::mutex> lock(mutex);
    const int64_t seconds = WaitsSeconds(cloud, request, instance);
    const int64_t version = instance.version;
    changed.wait_for(lock, std::chrono::seconds(seconds),
                     [&] { return ending || instance.version != version; });
    const Answer answer = AnswerOf(cloud, request, &instance);
    response.status = answer.code;
    for (const auto& [name, value] : answer.headers) response.set_header(name, value);
    response.set_content(answer.body, "text/plain");
  }

  template <typename Change>
  void Set(const Change& change) {
    std::lock_guard<std::mutex> lock(mutex);
    change();
    ++instance.version;
    changed.notify_all();
  }
};

absl::StatusOr<std::unique_ptr<MetadataServer>> MetadataServer::Start(Cloud cloud) {
  auto state = std::make_unique<State>();
  state->cloud = cloud;
  State* const it = state.get();
  const auto serve = [it](const httplib::Request& request, httplib::Response& response) {
    it->Serve(request, response);
  };
  it->server.Get(".*", serve).Put(".*", serve).Post(".*", serve);
  // A worker asks GCP's service three things at once, each of which may wait for minutes.
  it->server.new_task_queue = [] { return new httplib::ThreadPool(8); };
  it->port = it->server.bind_to_any_port("127.0.0.1");
  if (it->port <= 0) {
    return absl::UnavailableError("no free port on 127.0.0.1 for a metadata service");
  }
  it->thread = std::thread([it] { it->server.listen_after_bind(); });
  return std::unique_ptr<MetadataServer>(new MetadataServer(std::move(state)));
}

MetadataServer::MetadataServer(std::unique_ptr<State> state) : state_(std::move(state)) {}

MetadataServer::~MetadataServer() {
  {
    std::lock_guard<std::mutex> lock(state_->mutex);
    state_->ending = true;
    state_->changed.notify_all();
  }
  state_->server.stop();
  state_->thread.join();
}

Cloud MetadataServer::cloud() const { return state_->cloud; }

std::string MetadataServer::url() const {
  return absl::StrCat(NameOf(state_->cloud), "=http://127.0.0.1:", state_->port);
}

void MetadataServer::Announce(int64_t end_unix_ms) {
  state_->Set([&] { state_->instance.end_unix_ms = end_unix_ms; });
}

void MetadataServer::Rebalance(int64_t since_unix_ms) {
  state_->Set([&] { state_->instance.rebalance_unix_ms = since_unix_ms; });
}

void MetadataServer::Calm() {
  state_->Set([&] {
    state_->instance.end_unix_ms = 0;
    state_->instance.rebalance_unix_ms = 0;
    ++state_->instance.token;
  });
}

}  // namespace baton::client::chaos
