// What a trained model is besides its weights: `model.json`, which a run leaves beside them so that
// whoever predicts needs neither the spec's file nor the data.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/spec/job_spec.h"
#include "trainer/data/table_encoding.h"
#include "trainer/metrics.h"

namespace baton::trainer {

inline constexpr char kModelCardFile[] = "model.json";
inline constexpr char kLabelsFile[] = "labels.txt";  // a class a line, where classes have names

struct ModelCard {
  spec::JobSpec spec;
  std::vector<std::string> labels;     // of the classes, by number; empty: they have none
  std::optional<TableEncoding> table;  // of a model of CSV files
  std::string data_digest;
  std::string identity;  // of the backend that trained it
  int64_t steps = 0;     // finished
  std::string chain;     // head of the hash chain
  std::optional<Evaluation> test;
};

// A pure function of the card: no time, no host.
std::string EncodeModelCard(const ModelCard& card);

// `name` is the text's in messages. INVALID_ARGUMENT says what is wrong: no JSON, another format,
// a spec or a table with mistakes. Of the test's figures nothing is read back.
absl::StatusOr<ModelCard> DecodeModelCard(absl::string_view text, const std::string& name);

// Both files into `folder`, each whole or not at all; without names the labels' one is removed.
absl::Status WriteModelCard(const ModelCard& card, const std::string& folder);

}  // namespace baton::trainer
