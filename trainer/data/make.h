// From what a spec's files hold to the data sets that it trains and tests on.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/spec/files.h"
#include "common/spec/job_spec.h"
#include "trainer/data/dataset.h"
#include "trainer/data/table_encoding.h"
#include "trainer/data/word_judge.h"

namespace baton::trainer {

struct Datasets {
  std::unique_ptr<Dataset> train;
  std::unique_ptr<Dataset> test;  // null: no evaluation
  // Of a text.
  std::unique_ptr<WordJudge> judge;  // what stands for the test; null: nothing does
  std::vector<std::string> words;    // that the vectors of the model are for, by their rows
  std::optional<TableEncoding> table = std::nullopt;  // of CSV
  std::vector<int64_t> word_counts;                   // how often each occurs
};

// `files` as spec::CheckData kept them without a mistake; they are used up. A pure function: the
// same samples and bits on every rank. `seed` draws the test's part where the spec asks for that.
Datasets MakeDatasets(const spec::NativeSpec& native, uint64_t seed, spec::DataFiles files);

// The samples of the two parts, each in the file's order.
struct Parts {
  std::vector<uint32_t> train;
  std::vector<uint32_t> test;
};
Parts SplitSamples(const spec::TestPart& part, int64_t count, uint64_t seed);

// Of CSV, of NPY and of text files, and of folders.
Datasets MakeTables(const spec::CsvData& csv, const spec::Model& model, uint64_t seed,
                    spec::DataFiles files);
Datasets MakeArrays(const spec::NpyData& npy, const spec::Model& model, uint64_t seed,
                    spec::DataFiles files);
Datasets MakeFolders(const spec::FolderData& data, const spec::Model& model, uint64_t seed,
                     spec::DataFiles files);
Datasets MakeTexts(const spec::TextData& data, const spec::Model& model, spec::DataFiles files);

}  // namespace baton::trainer
