// The files in events/ were written by PyTorch 1.13 (SummaryWriter.add_scalar) and by TensorBoard
// 2.21 (tensorboard.summary.Writer, as TensorFlow 2 and Keras have it).
#include "worker/metrics/event_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "absl/strings/str_cat.h"

namespace baton::worker {
namespace {

using testing::HasSubstr;

std::string Bytes(const std::string& name) {
  std::ifstream file(absl::StrCat(EVENTS, "/", name), std::ios::binary);
  std::ostringstream bytes;
  bytes << file.rdbuf();
  EXPECT_GT(bytes.str().size(), 100u) << name;
  return bytes.str();
}

std::string Words(const std::vector<Scalar>& scalars) {
  std::string words;
  for (const Scalar& scalar : scalars) {
    absl::StrAppend(&words, scalar.tag, " ", scalar.step, " ", scalar.value, "\n");
  }
  return words;
}

constexpr char kOfPyTorch[] =
    "loss/train 0 1\naccuracy 0 0.5\nloss/train 1 0.5\naccuracy 1 0.6\n"
    "loss/train 2 0.333333\naccuracy 2 0.7\n";
constexpr char kOfTensorBoard[] = "epoch_loss 1 2\nepoch_loss 2 1\nepoch_loss 3 0.666667\n";

TEST(EventReader, ReadsWhatPyTorchAndTensorBoardWrite) {
  std::vector<Scalar> scalars;
  EXPECT_TRUE(EventReader().Take(Bytes("torch.tfevents"), &scalars).ok());
  EXPECT_EQ(Words(scalars), kOfPyTorch);
  EXPECT_GT(scalars[0].wall_time, 1.7e9);
  scalars.clear();
  EXPECT_TRUE(EventReader().Take(Bytes("tensorboard.tfevents"), &scalars).ok());
  EXPECT_EQ(Words(scalars), kOfTensorBoard);
}

TEST(EventReader, AFileMayGrowByAnyBytes) {
  const std::string bytes = Bytes("tensorboard.tfevents");
  for (size_t cut = 0; cut <= bytes.size(); ++cut) {
    EventReader reader;
    std::vector<Scalar> scalars;
    ASSERT_TRUE(reader.Take(bytes.substr(0, cut), &scalars).ok()) << cut;
    ASSERT_TRUE(reader.Take(bytes.substr(cut), &scalars).ok()) << cut;
    ASSERT_EQ(Words(scalars), kOfTensorBoard) << cut;
  }
}

TEST(EventReader, EveryDamagedByteIsSeen) {
  const std::string bytes = Bytes("torch.tfevents");
  for (size_t at = 0; at < bytes.size(); ++at) {
    std::string damaged = bytes;
    damaged[at] = static_cast<char>(damaged[at] ^ 0x10);
    std::vector<Scalar> scalars;
    const absl::Status status = EventReader().Take(damaged, &scalars);
    ASSERT_EQ(status.code(), absl::StatusCode::kDataLoss) << at;
    ASSERT_EQ(Words(scalars), std::string(kOfPyTorch).substr(0, Words(scalars).size())) << at;
  }
}

TEST(EventReader, WhatIsNoEventFileIsRefusedWithItsPlace) {
  std::vector<Scalar> scalars;
  EXPECT_THAT(std::string(EventReader().Take("just a text, no event\n", &scalars).message()),
              HasSubstr("no TensorBoard event begins at byte 0"));
  // A file that was made long beforehand.
  EXPECT_THAT(std::string(EventReader()
                              .Take(Bytes("torch.tfevents") + std::string(4'096, '\0'), &scalars)
                              .message()),
              HasSubstr("at byte 366"));
}

}  // namespace
}  // namespace baton::worker
