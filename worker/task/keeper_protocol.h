// What the worker and its keeper say to each other over a socket pair: frames of a 32-bit length
// and a body, numbers in the machine's own order (both ends are one build on one machine). Uses
// nothing but the standard library: the keeper stays small, since it forks once per task.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace baton::worker {

inline constexpr uint32_t kFrameBytesMax = 8 << 20;

enum class FrameType : uint8_t {
  kStart = 1,        // worker: start a task; its log descriptor travels with the frame
  kTerminate = 2,    // worker: signal `code` to each process of the task that catches it, once
                     // each; -`code`: where nobody catches it, to everybody
  kKill = 3,         // worker: SIGKILL to all processes of the task
  kStarted = 4,      // keeper: `code` is the pid
  kStartFailed = 5,  // keeper: `code` is the errno, `text` what failed
  kExited = 6,       // keeper: no process is left; `code` the exit code, -N when killed by signal N
};

struct Frame {
  FrameType type = FrameType::kStart;
  uint64_t task = 0;  // chosen by the worker, never used twice
  int32_t code = 0;
  std::string text;
  // Of kStart.
  std::vector<std::string> argv;         // argv[0] is searched in the task's PATH
  std::vector<std::string> environment;  // NAME=value, complete
  std::string folder;                    // working folder
  // NAME=value of `environment` that no other task has: finds processes that left the session.
  std::string mark;
};

// The body behind the length.
std::string EncodeFrame(const Frame& frame);
// Nothing when the bytes are no frame.
std::optional<Frame> DecodeFrame(const char* body, size_t size);

// A blocking stream of frames over one socket. Not thread-safe; Send and Receive may be used by one
// thread each.
class FrameSocket {
 public:
  // Does not own `socket`.
  explicit FrameSocket(int socket) : socket_(socket) {}
  ~FrameSocket();
  FrameSocket(const FrameSocket&) = delete;
  FrameSocket& operator=(const FrameSocket&) = delete;

  // `descriptor` -1: none. False when the other end is gone.
  bool Send(const Frame& frame, int descriptor = -1);
  // Waits for bytes, once; false when the other end is gone or breaks the protocol.
  bool Read();
  // The next whole frame among the bytes read.
  std::optional<Frame> Next();
  // The oldest descriptor received and not taken, -1: none. The caller owns it.
  int TakeDescriptor();

 private:
  int socket_;
  std::string buffer_;
  std::vector<int> descriptors_;
  bool broken_ = false;
};

}  // namespace baton::worker
