#include "client/ignore.h"

#include <gtest/gtest.h>

namespace baton::client {
namespace {

constexpr EntryKind kFile = EntryKind::kFile;
constexpr EntryKind kFolder = EntryKind::kFolder;

TEST(IgnoreRules, SomeFoldersAlwaysStayAtHome) {
  const IgnoreRules rules("");
  EXPECT_TRUE(rules.Ignores(".git", kFolder));
  EXPECT_TRUE(rules.Ignores("a/__pycache__", kFolder));
  EXPECT_TRUE(rules.Ignores("runs", kFolder));
  EXPECT_FALSE(rules.Ignores("a/runs", kFolder));
  EXPECT_FALSE(rules.Ignores("runs", kFile));
  EXPECT_FALSE(rules.Ignores("train.py", kFile));
}

TEST(IgnoreRules, WhatLooksLikeASecretIsTold) {
  const IgnoreRules rules("!/deploy.pem\n");
  for (const char* name : {".env", "a/.env", ".env.local", "Server.PEM", "x/id_rsa", "id_ed25519",
                           "credentials", "credentials.json", "my-credentials.json", ".netrc"}) {
    EXPECT_EQ(rules.Judge(name, kFile).verdict, Verdict::kSecret) << name;
  }
  EXPECT_EQ(rules.Judge(".aws", kFolder).verdict, Verdict::kSecret);
  for (const char* name : {"deploy.pem", "id_rsa.pub", "id_map.json", ".env.example",
                           "credentials.py", "environment.yml", "src/credentials_test.R"}) {
    EXPECT_EQ(rules.Judge(name, kFile).verdict, Verdict::kTaken) << name;
  }
}

TEST(IgnoreRules, TheRulingHasThePatternThatDecided) {
  const IgnoreRules rules("*.log\n");
  EXPECT_EQ(rules.Judge("a/renv/library", kFolder).pattern, "renv/library");
  EXPECT_EQ(rules.Judge(".git", kFolder).verdict, Verdict::kAlways);
  EXPECT_EQ(rules.Judge("a.log", kFile).verdict, Verdict::kIgnored);
}

TEST(IgnoreRules, APatternWithoutSlashMatchesAtAnyDepth) {
  const IgnoreRules rules("*.log\n");
  EXPECT_TRUE(rules.Ignores("a.log", kFile));
  EXPECT_TRUE(rules.Ignores("deep/er/a.log", kFile));
  EXPECT_FALSE(rules.Ignores("a.log.txt", kFile));
}

TEST(IgnoreRules, ASlashAnchorsToTheFolder) {
  const IgnoreRules rules("/top\nsub/x\n");
  EXPECT_TRUE(rules.Ignores("top", kFile));
  EXPECT_FALSE(rules.Ignores("a/top", kFile));
  EXPECT_TRUE(rules.Ignores("sub/x", kFile));
  EXPECT_FALSE(rules.Ignores("a/sub/x", kFile));
}

TEST(IgnoreRules, TwoStarsSpanFolders) {
  const IgnoreRules rules("**/tmp\na/**/z\nout/**\n");
  EXPECT_TRUE(rules.Ignores("x/y/tmp", kFile));
  EXPECT_TRUE(rules.Ignores("tmp", kFile));
  EXPECT_TRUE(rules.Ignores("a/z", kFile));
  EXPECT_TRUE(rules.Ignores("a/b/c/z", kFile));
  EXPECT_TRUE(rules.Ignores("out/a/b", kFile));
  EXPECT_FALSE(rules.Ignores("out", kFolder));
}

TEST(IgnoreRules, LaterLinesWinAndCommentsAreNoRules) {
  const IgnoreRules rules("# *.py\n*.txt\r\n!keep.txt\n\\#odd\ntrailing/   \n");
  EXPECT_FALSE(rules.Ignores("a.py", kFile));
  EXPECT_TRUE(rules.Ignores("a.txt", kFile));
  EXPECT_FALSE(rules.Ignores("b/keep.txt", kFile));
  EXPECT_TRUE(rules.Ignores("#odd", kFile));
  EXPECT_TRUE(rules.Ignores("trailing", kFolder));
}

TEST(IgnoreRules, AStarStopsAtASlash) {
  const IgnoreRules rules("a/*.bin\n");
  EXPECT_TRUE(rules.Ignores("a/x.bin", kFile));
  EXPECT_FALSE(rules.Ignores("a/b/x.bin", kFile));
}

}  // namespace
}  // namespace baton::client
