#include "trainer/outputs.h"

#include <cstddef>

#include "absl/strings/str_cat.h"
#include "common/atomic_file.h"
#include "common/status.h"
#include "trainer/checkpoint/word_vectors.h"
#include "trainer/model_card.h"
#include "trainer/write_series.h"

namespace baton::trainer {
namespace {

absl::Status WriteWords(const Datasets& data, const std::string& folder, const Replica& replica) {
  if (data.words.empty()) return absl::OkStatus();
  const Parameter& table = replica.word_table();
  const float* rows = replica.weights().data() + table.offset;
  const auto width = static_cast<size_t>(table.shape[1]);
  BATON_RETURN_IF_ERROR(WriteVectors(absl::StrCat(folder, "/vectors.bin"), VectorFormat::kBinary,
                                     data.words, rows, width));
  // As text it would be built in memory.
  if (!replica.mapped()) {
    BATON_RETURN_IF_ERROR(WriteVectors(absl::StrCat(folder, "/vectors.txt"), VectorFormat::kText,
                                       data.words, rows, width));
  }
  std::string vocabulary;
  for (size_t i = 0; i < data.words.size(); ++i) {
    absl::StrAppend(&vocabulary, data.words[i], " ", data.word_counts[i], "\n");
  }
  return WriteFileAtomically(absl::StrCat(folder, "/vocabulary.txt"), vocabulary);
}

}  // namespace

absl::Status WriteOutputs(const FinishedRun& run, const std::string& folder, Replica& replica) {
  BATON_RETURN_IF_ERROR(WriteWords(run.data, folder, replica));
  BATON_RETURN_IF_ERROR(
      WriteSeries(replica, *run.data.train, run.data.test.get(), run.spec.name, folder));
  return WriteModelCard({.spec = run.spec,
                         .labels = run.data.train->labels(),
                         .table = run.data.table,
                         .data_digest = run.data.train->digest(),
                         .identity = run.identity.backend,
                         .steps = run.ending.step,
                         .chain = run.ending.chain_head,
                         .test = run.ending.evaluation},
                        folder);
}

}  // namespace baton::trainer
