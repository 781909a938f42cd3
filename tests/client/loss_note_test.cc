#include "client/loss_note.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace baton::client {
namespace {

class LossNoteTest : public testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/baton-note-XXXXXX";
    ASSERT_NE(mkdtemp(name), nullptr);
    folder_ = name;
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::string Note(const std::string& script, std::vector<std::string> globs = {}) {
    std::ofstream(folder_ + "/train.py") << script;
    PackagePlan plan;
    plan.spec.command = {"python3", "./train.py", "--lr=0.1"};
    plan.spec.checkpoint_globs = std::move(globs);
    plan.files = {{"train.py", folder_ + "/train.py"}};
    return LossNote(plan);
  }

  std::string folder_;
};

TEST_F(LossNoteTest, SaysWhatALossCostsWhereNothingIsSaved) {
  EXPECT_EQ(Note("print('x')"),
            "train.py shows no checkpoints and the spec names none: a lost node costs everything "
            "since the start; let it save, and add e.g. checkpoints: [out/*.pt]");
  EXPECT_EQ(Note("torch.save(model, 'a.pt')"),
            "train.py saves (torch.save), but the spec names no `checkpoints`: a lost node costs "
            "everything since the start; add e.g. checkpoints: [\"*.pt\"]");
  PackagePlan shell;
  shell.spec.command = {"sh", "-c", "sleep 1"};
  EXPECT_EQ(LossNote(shell).substr(0, 11), "the command");
}

TEST_F(LossNoteTest, IsSilentWhereSomethingIsKept) {
  EXPECT_EQ(Note("print('x')", {"out/*.pt"}), "");
  EXPECT_EQ(Note("os.environ['BATON_CHECKPOINT_DIR']"), "");
  PackagePlan native;
  native.spec.native.emplace();
  EXPECT_EQ(LossNote(native), "");
}

}  // namespace
}  // namespace baton::client
