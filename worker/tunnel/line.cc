#include "worker/tunnel/line.h"

#include <poll.h>
#include <unistd.h>

#include <cerrno>

namespace baton::worker {
namespace {

constexpr int kLookMs = 100;

}  // namespace

Line::Line(v1::Tunnel::Stub& stub) {
  // Otherwise it would wait until the call's head has left.
  context_.set_initial_metadata_corked(true);
  stream_ = stub.Serve(&context_);
}

void Line::Begin(const std::string& id) {
  v1::TunnelFrame first;
  first.set_id(id);
  Write(first);
}

bool Line::Read(v1::TunnelFrame* frame) {
  if (!gone_ && stream_->Read(frame)) return true;
  gone_ = true;
  return false;
}

bool Line::Write(const v1::TunnelFrame& frame) {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (gone_) return false;
  if (!stream_->Write(frame)) gone_ = true;
  return !gone_;
}

bool Line::WriteData(absl::string_view bytes, bool error) {
  v1::TunnelFrame frame;
  (error ? frame.mutable_error_data() : frame.mutable_data())->assign(bytes.data(), bytes.size());
  return Write(frame);
}

bool Line::WriteEnd() {
  v1::TunnelFrame frame;
  frame.set_end(true);
  return Write(frame);
}

void Line::Exit(int code) {
  v1::TunnelFrame frame;
  frame.set_exit_code(code);
  Write(frame);
}

void Line::Fail(const std::string& words) {
  v1::TunnelFrame frame;
  frame.set_failure(words);
  Write(frame);
}

void Line::Hang() {
  gone_ = true;
  context_.TryCancel();
}

void Line::Finish() {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    stream_->WritesDone();
  }
  // What a person has sent and nobody reads any more stands before the call's end: without this a
  // tunnel that was refused, or whose command could not be started, would stay for ever.
  v1::TunnelFrame unread;
  while (stream_->Read(&unread)) {
  }
  gone_ = true;
  static_cast<void>(stream_->Finish());  // all that mattered was in the frames
}

bool WriteAll(int fd, absl::string_view bytes, const Line& line) {
  while (!bytes.empty() && !line.gone()) {
    const ssize_t written = write(fd, bytes.data(), bytes.size());
    if (written > 0) {
      bytes.remove_prefix(static_cast<size_t>(written));
    } else if (errno == EAGAIN) {
      pollfd room{fd, POLLOUT, 0};
      poll(&room, 1, kLookMs);
    } else if (errno != EINTR) {
      return false;
    }
  }
  return bytes.empty();
}

}  // namespace baton::worker
