// Runs each file of scenarios/: commands, a line "----", and the output that they must have.
//   scheduler_scenario_test DIR [--rewrite]
// --rewrite writes the output as it is into the files, to be read in review.
#include "tests/scheduler/core/scenario.h"

#include <dirent.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace baton::core {
namespace {

std::string ReadAll(const std::string& path) {
  std::ifstream in(path);
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

// The file as it would be with the output that the commands have now.
std::string Replay(const std::string& text) {
  Scenario scenario;
  std::string result;
  std::string output;
  bool in_output = false;
  std::vector<std::string> lines = absl::StrSplit(text, '\n');
  if (!lines.empty() && lines.back().empty()) lines.pop_back();
  for (const std::string& line : lines) {
    if (in_output && !line.empty()) continue;
    in_output = false;
    if (line == "----") {
      absl::StrAppend(&result, line, "\n", output);
      output.clear();
      in_output = true;
      continue;
    }
    absl::StrAppend(&result, line, "\n");
    if (!line.empty() && line[0] != '#') output += scenario.Run(line);
  }
  return result;
}

class ScenarioFile : public testing::Test {
 public:
  ScenarioFile(std::string path, bool rewrite) : path_(std::move(path)), rewrite_(rewrite) {}

  void TestBody() override {
    const std::string text = ReadAll(path_);
    ASSERT_NE(text.find("\n----\n"), std::string::npos) << path_ << " expects nothing";
    const std::string now = Replay(text);
    if (rewrite_) {
      std::ofstream(path_) << now;
    } else {
      EXPECT_EQ(text, now) << path_;
    }
  }

 private:
  std::string path_;
  bool rewrite_;
};

}  // namespace
}  // namespace baton::core

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  if (argc < 2) {
    fprintf(stderr, "usage: %s DIR [--rewrite]\n", argv[0]);
    return 2;
  }
  const std::string dir = argv[1];
  const bool rewrite = argc > 2 && std::string(argv[2]) == "--rewrite";
  std::vector<std::string> names;
  DIR* folder = opendir(dir.c_str());
  if (folder == nullptr) {
    fprintf(stderr, "%s can't be read\n", dir.c_str());
    return 2;
  }
  while (const dirent* entry = readdir(folder)) {
    if (absl::EndsWith(entry->d_name, ".txt")) names.push_back(entry->d_name);
  }
  closedir(folder);
  std::sort(names.begin(), names.end());
  if (names.empty()) return 2;
  for (const std::string& name : names) {
    const std::string path = dir + "/" + name;
    testing::RegisterTest(
        "Scenario", name.substr(0, name.size() - 4).c_str(), nullptr, nullptr, __FILE__, __LINE__,
        [=]() -> testing::Test* { return new baton::core::ScenarioFile(path, rewrite); });
  }
  return RUN_ALL_TESTS();
}
