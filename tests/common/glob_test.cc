#include "common/glob.h"

#include <gtest/gtest.h>

namespace baton {
namespace {

struct Case {
  const char* pattern;
  const char* path;
  bool matches;
};

TEST(Glob, MatchesAsGitignoreDoes) {
  const Case cases[] = {
      {"out/*.pt", "out/a.pt", true},
      {"out/*.pt", "out/b/a.pt", false},
      {"out/*.pt", "x/out/a.pt", false},
      {"./out/*.pt", "out/a.pt", true},
      {"ckpt.pt", "ckpt.pt", true},
      {"ckpt.pt", "deep/er/ckpt.pt", true},
      {"./ckpt.pt", "deep/ckpt.pt", false},
      {"./ckpt.pt", "ckpt.pt", true},
      {"*.rds", "models/m.rds", true},
      {"out/**", "out/a", true},
      {"out/**", "out/a/b/c", true},
      {"out/**", "out", false},
      {"out/", "out/a/b", true},
      {"out/", "other/out/a", true},
      {"**/last.ckpt", "last.ckpt", true},
      {"**/last.ckpt", "a/b/last.ckpt", true},
      {"logs/**/v?/*.ckpt", "logs/v1/a.ckpt", true},
      {"logs/**/v?/*.ckpt", "logs/x/y/v2/a.ckpt", true},
      {"logs/**/v?/*.ckpt", "logs/x/v22/a.ckpt", false},
      {"[ab].h5", "b.h5", true},
      {"[ab].h5", "c.h5", false},
      {"**", "any/thing", true},
  };
  for (const Case& c : cases) {
    EXPECT_EQ(Glob(absl::string_view(c.pattern)).Matches(c.path), c.matches)
        << c.pattern << " " << c.path;
  }
}

TEST(Glob, SaysWhichFoldersAreWorthALook) {
  const Glob out(absl::string_view("out/*/a.pt"));
  EXPECT_TRUE(out.MayMatchBelow(""));
  EXPECT_TRUE(out.MayMatchBelow("out"));
  EXPECT_TRUE(out.MayMatchBelow("out/x"));
  EXPECT_FALSE(out.MayMatchBelow("out/x/y"));
  EXPECT_FALSE(out.MayMatchBelow("data"));
  EXPECT_TRUE(Glob(absl::string_view("*.pt")).MayMatchBelow("data/deep"));
  EXPECT_TRUE(Glob(absl::string_view("a/**")).MayMatchBelow("a/b/c"));
}

TEST(Glob, ManyStarsTakeNoTime) {
  std::string pattern;
  std::string path;
  for (int i = 0; i < 100; ++i) pattern += "**/a/";
  for (int i = 0; i < 400; ++i) path += "a/";
  EXPECT_FALSE(Glob(absl::string_view(pattern + "b")).Matches(path + "c"));
}

TEST(Glob, RefusesWhatNamesNoFileOfTheFolder) {
  const std::pair<const char*, const char*> cases[] = {
      {"", "'' names no file; write e.g. out/*.pt"},
      {"/", "'/' is absolute; write it relative to the working folder, e.g. out/*.pt"},
      {"/out/*.pt",
       "'/out/*.pt' is absolute; write it relative to the working folder, e.g. out/*.pt"},
      {"../a.pt", "'../a.pt' leaves the working folder; name files inside of it, e.g. out/*.pt"},
      {"a/../b", "'a/../b' leaves the working folder; name files inside of it, e.g. out/*.pt"},
      {"a//b", "'a//b' has an empty part and names no file; write e.g. out/*.pt"},
      {".", "'.' has an empty part and names no file; write e.g. out/*.pt"},
      {"./", "'./' has an empty part and names no file; write e.g. out/*.pt"},
      {"a\nb", "'a\\nb' has a control character; remove it"},
  };
  for (const auto& [pattern, message] : cases) {
    EXPECT_EQ(CheckGlob(pattern).message(), message) << pattern;
  }
  for (const char* good : {"*.pt", "./out/a", "out/", "**", "a..b/c", "lightning_logs/**"}) {
    EXPECT_TRUE(CheckGlob(good).ok()) << good;
  }
  EXPECT_FALSE(CheckGlob(std::string(kGlobBytesMax + 1, 'a')).ok());
}

}  // namespace
}  // namespace baton
