#include "common/file_tree.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "common/hash.h"

namespace baton {
namespace {

namespace fs = std::filesystem;

std::string Top() { return testing::TempDir() + "/tree." + std::to_string(::getpid()); }

TEST(FileTree, ReadOnlyFoldersGoAndWhatLinksLeadToStays) {
  const std::string top = Top();
  ASSERT_TRUE(MakeFolders(top + "/a/b/c").ok());
  ASSERT_TRUE(MakeFolders(top + "/a/b/c").ok()) << "it is there";
  ASSERT_TRUE(MakeFolders(top + "/kept").ok());
  std::ofstream(top + "/kept/file") << "x";
  std::ofstream(top + "/a/b/c/file") << "x";
  fs::create_directory_symlink(top + "/kept", top + "/a/link");
  for (const char* folder : {"/a/b/c", "/a/b", "/a"}) {
    fs::permissions(top + folder, fs::perms::owner_write, fs::perm_options::remove);
  }
  RemoveTree(top + "/a");
  EXPECT_FALSE(fs::exists(top + "/a"));
  EXPECT_TRUE(fs::exists(top + "/kept/file"));
  EXPECT_FALSE(MakeFolders(top + "/kept/file/below").ok());
  RemoveTree(top);
}

TEST(FileTree, TheDigestIsOfAllBytes) {
  const std::string top = Top();
  ASSERT_TRUE(MakeFolders(top).ok());
  const std::string bytes(3'000'001, 'x');
  std::ofstream(top + "/file") << bytes;
  EXPECT_EQ(Sha256OfFile(top + "/file").value(), Sha256Hex(bytes));
  EXPECT_TRUE(absl::IsNotFound(Sha256OfFile(top + "/none").status()));
  EXPECT_FALSE(Sha256OfFile(top).ok()) << "a folder has no bytes";
  RemoveTree(top);
}

}  // namespace
}  // namespace baton
