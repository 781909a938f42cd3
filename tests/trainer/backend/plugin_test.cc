// Backends as shared objects: what is found, what is refused, and in which words.
#include "trainer/backend/plugin.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace baton::trainer {
namespace {

using testing::HasSubstr;

TEST(PluginTest, TheCpuBackendComputes) {
  const auto path = FindBackend("cpu", {"/no/such/folder", BATON_BIN_FOLDER});
  ASSERT_TRUE(path.ok()) << path.status();
  const auto loaded = LoadBackend(*path, {});
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  EXPECT_EQ(loaded->backend->name(), "cpu");
  const auto stream = loaded->backend->CreateStream(Memory::kHost);
  ASSERT_TRUE(stream.ok()) << stream.status();
  const auto tensor = (*stream)->CreateTensor({2}, 1);
  const float values[] = {3, 5};
  float got[2] = {};
  ASSERT_TRUE((*stream)->Upload(values, 1, tensor.get()).ok());
  ASSERT_TRUE((*stream)->Download(*tensor, 1, got).ok());
  EXPECT_EQ(got[1], 5);
}

TEST(PluginTest, AMissingBackendIsNamedWithItsFolders) {
  const auto path = FindBackend("cuda", {"/no/one", "/no/two"});
  EXPECT_EQ(path.status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(path.status().message()),
              HasSubstr("no libbaton_backend_cuda.so in /no/one or /no/two"));
}

TEST(PluginTest, AnObjectOfAnotherBuildIsRefused) {
  const auto path = FindBackend("other_build", {BATON_TEST_FOLDER});
  ASSERT_TRUE(path.ok()) << path.status();
  const auto loaded = LoadBackend(*path, {});
  EXPECT_EQ(loaded.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(loaded.status().message()), HasSubstr("of another build (0123456789)"));
}

TEST(PluginTest, WhatIsNoBackendIsRefused) {
  std::string folder = testing::TempDir() + "/plugin-XXXXXX";
  ASSERT_NE(mkdtemp(folder.data()), nullptr);
  std::ofstream(folder + "/libbaton_backend_text.so") << "text";
  const auto loaded = LoadBackend(*FindBackend("text", {folder}), {});
  EXPECT_EQ(loaded.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(loaded.status().message()), HasSubstr("cannot load"));
  EXPECT_FALSE(LoadBackend("libz.so.1", {}).ok());
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace baton::trainer
