#include "worker/task/keeper_protocol.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <thread>

namespace baton::worker {
namespace {

Frame StartFrame() {
  Frame frame;
  frame.type = FrameType::kStart;
  frame.task = 7;
  frame.argv = {"/bin/echo", "", std::string("a\0b", 3)};
  frame.environment = {"A=1", "B="};
  frame.folder = "/tmp";
  frame.mark = "A=1";
  return frame;
}

TEST(KeeperProtocol, FrameSurvivesEncoding) {
  const std::string body = EncodeFrame(StartFrame());
  const std::optional<Frame> back = DecodeFrame(body.data(), body.size());
  ASSERT_TRUE(back.has_value());
  EXPECT_EQ(back->task, 7u);
  EXPECT_EQ(back->argv, StartFrame().argv);
  EXPECT_EQ(back->environment, StartFrame().environment);
  EXPECT_EQ(back->folder, "/tmp");
  EXPECT_EQ(back->mark, "A=1");
}

TEST(KeeperProtocol, EveryTruncationIsRefused) {
  const std::string body = EncodeFrame(StartFrame());
  for (size_t size = 0; size < body.size(); ++size) {
    EXPECT_FALSE(DecodeFrame(body.data(), size).has_value()) << size;
  }
  const std::string longer = body + "x";
  EXPECT_FALSE(DecodeFrame(longer.data(), longer.size()).has_value());
}

TEST(KeeperProtocol, AnUnknownTypeIsRefused) {
  std::string body = EncodeFrame(StartFrame());
  body[0] = 0;
  EXPECT_FALSE(DecodeFrame(body.data(), body.size()).has_value());
  body[0] = 99;
  EXPECT_FALSE(DecodeFrame(body.data(), body.size()).has_value());
}

TEST(KeeperProtocol, DescriptorsArriveInOrderWithFramesInPieces) {
  int ends[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
  constexpr int kFrames = 50;
  std::thread sender([&] {
    FrameSocket out(ends[0]);
    for (int i = 0; i < kFrames; ++i) {
      int pipe_ends[2];
      ASSERT_EQ(pipe2(pipe_ends, O_CLOEXEC), 0);
      ASSERT_EQ(write(pipe_ends[1], &i, sizeof(i)), static_cast<ssize_t>(sizeof(i)));
      Frame frame = StartFrame();
      frame.task = static_cast<uint64_t>(i);
      frame.argv.push_back(std::string(100'000, 'x'));
      EXPECT_TRUE(out.Send(frame, pipe_ends[0]));
      close(pipe_ends[0]);
      close(pipe_ends[1]);
    }
  });
  FrameSocket in(ends[1]);
  int seen = 0;
  while (seen < kFrames && in.Read()) {
    while (std::optional<Frame> frame = in.Next()) {
      const int descriptor = in.TakeDescriptor();
      ASSERT_GE(descriptor, 0);
      int value = -1;
      EXPECT_EQ(read(descriptor, &value, sizeof(value)), static_cast<ssize_t>(sizeof(value)));
      EXPECT_EQ(value, seen);
      EXPECT_EQ(frame->task, static_cast<uint64_t>(seen));
      close(descriptor);
      ++seen;
    }
  }
  EXPECT_EQ(seen, kFrames);
  sender.join();
  close(ends[0]);
  close(ends[1]);
}

TEST(KeeperProtocol, AnOverlongFrameEndsTheConversation) {
  int ends[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
  const uint32_t size = kFrameBytesMax + 1;
  ASSERT_EQ(write(ends[0], &size, sizeof(size)), static_cast<ssize_t>(sizeof(size)));
  FrameSocket in(ends[1]);
  EXPECT_TRUE(in.Read());
  EXPECT_FALSE(in.Next().has_value());
  EXPECT_FALSE(in.Read());
  close(ends[0]);
  close(ends[1]);
}

}  // namespace
}  // namespace baton::worker
