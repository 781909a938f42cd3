#include "worker/task/keeper_protocol.h"

#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace baton::worker {
namespace {

constexpr size_t kDescriptorsPerRead = 32;

template <typename T>
void PutNumber(T value, std::string& out) {
  out.append(reinterpret_cast<const char*>(&value), sizeof(value));
}

void PutText(const std::string& text, std::string& out) {
  PutNumber(static_cast<uint32_t>(text.size()), out);
  out += text;
}

void PutList(const std::vector<std::string>& list, std::string& out) {
  PutNumber(static_cast<uint32_t>(list.size()), out);
  for (const std::string& text : list) PutText(text, out);
}

// Takes values off the front; `ok` turns false at the first that is not there.
struct Cursor {
  const char* at;
  size_t left;
  bool ok = true;

  template <typename T>
  T Number() {
    T value{};
    if (!ok || left < sizeof(value)) {
      ok = false;
      return value;
    }
    memcpy(&value, at, sizeof(value));
    at += sizeof(value);
    left -= sizeof(value);
    return value;
  }

  std::string Text() {
    const uint32_t size = Number<uint32_t>();
    if (!ok || left < size) {
      ok = false;
      return {};
    }
    std::string text(at, size);
    at += size;
    left -= size;
    return text;
  }

  std::vector<std::string> List() {
    std::vector<std::string> list;
    for (uint32_t count = Number<uint32_t>(); ok && count > 0; --count) list.push_back(Text());
    return list;
  }
};

}  // namespace

std::string EncodeFrame(const Frame& frame) {
  std::string out;
  PutNumber(static_cast<uint8_t>(frame.type), out);
  PutNumber(frame.task, out);
  PutNumber(frame.code, out);
  PutText(frame.text, out);
  if (frame.type == FrameType::kStart) {
    PutList(frame.argv, out);
    PutList(frame.environment, out);
    PutText(frame.folder, out);
    PutText(frame.mark, out);
  }
  return out;
}

std::optional<Frame> DecodeFrame(const char* body, size_t size) {
  Cursor cursor{body, size};
  Frame frame;
  const uint8_t type = cursor.Number<uint8_t>();
  if (type < 1 || type > static_cast<uint8_t>(FrameType::kExited)) return std::nullopt;
  frame.type = static_cast<FrameType>(type);
  frame.task = cursor.Number<uint64_t>();
  frame.code = cursor.Number<int32_t>();
  frame.text = cursor.Text();
  if (frame.type == FrameType::kStart) {
    frame.argv = cursor.List();
    frame.environment = cursor.List();
    frame.folder = cursor.Text();
    frame.mark = cursor.Text();
  }
  if (!cursor.ok || cursor.left != 0) return std::nullopt;
  return frame;
}

FrameSocket::~FrameSocket() {
  for (const int descriptor : descriptors_) close(descriptor);
}

bool FrameSocket::Send(const Frame& frame, int descriptor) {
  const std::string body = EncodeFrame(frame);
  if (body.size() > kFrameBytesMax) return false;
  const uint32_t size = static_cast<uint32_t>(body.size());
  std::string bytes(reinterpret_cast<const char*>(&size), sizeof(size));
  bytes += body;
  size_t sent = 0;
  while (sent < bytes.size()) {
    iovec part{bytes.data() + sent, bytes.size() - sent};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
    if (sent == 0 && descriptor >= 0) {
      message.msg_control = control;
      message.msg_controllen = sizeof(control);
      cmsghdr* header = CMSG_FIRSTHDR(&message);
      header->cmsg_level = SOL_SOCKET;
      header->cmsg_type = SCM_RIGHTS;
      header->cmsg_len = CMSG_LEN(sizeof(int));
      memcpy(CMSG_DATA(header), &descriptor, sizeof(int));
    }
    const ssize_t n = sendmsg(socket_, &message, MSG_NOSIGNAL);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    sent += static_cast<size_t>(n);
  }
  return true;
}

bool FrameSocket::Read() {
  if (broken_) return false;
  char bytes[64 << 10];
  iovec part{bytes, sizeof(bytes)};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int) * kDescriptorsPerRead)] = {};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof(control);
  ssize_t n;
  do {
    n = recvmsg(socket_, &message, MSG_CMSG_CLOEXEC);
  } while (n < 0 && errno == EINTR);
  if (n <= 0) return false;
  for (cmsghdr* h = CMSG_FIRSTHDR(&message); h != nullptr; h = CMSG_NXTHDR(&message, h)) {
    if (h->cmsg_level != SOL_SOCKET || h->cmsg_type != SCM_RIGHTS) continue;
    const size_t count = (h->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (size_t i = 0; i < count; ++i) {
      int descriptor;
      memcpy(&descriptor, CMSG_DATA(h) + i * sizeof(int), sizeof(int));
      descriptors_.push_back(descriptor);
    }
  }
  buffer_.append(bytes, static_cast<size_t>(n));
  return true;
}

std::optional<Frame> FrameSocket::Next() {
  uint32_t size;
  if (buffer_.size() < sizeof(size)) return std::nullopt;
  memcpy(&size, buffer_.data(), sizeof(size));
  if (size > kFrameBytesMax) {
    broken_ = true;
    return std::nullopt;
  }
  if (buffer_.size() < sizeof(size) + size) return std::nullopt;
  std::optional<Frame> frame = DecodeFrame(buffer_.data() + sizeof(size), size);
  buffer_.erase(0, sizeof(size) + size);
  if (!frame.has_value()) broken_ = true;
  return frame;
}

int FrameSocket::TakeDescriptor() {
  if (descriptors_.empty()) return -1;
  const int descriptor = descriptors_.front();
  descriptors_.erase(descriptors_.begin());
  return descriptor;
}

}  // namespace baton::worker
