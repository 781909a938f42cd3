// What `sparse: true` asks of the optimizer.
#include "absl/strings/str_cat.h"
#include "common/spec/parse.h"
#include "common/spec/write.h"
#include "gtest/gtest.h"
#include "tests/common/spec/sample.h"

namespace baton::spec {
namespace {

std::string SpecText(const std::string& layer, const std::string& optimizer) {
  return absl::StrCat("epochs: 1\nbatch_size: 4\ndata: {format: csv, train: t.csv, target: y}\n",
                      "model:\n  input: [1]\n  loss: mean_squared_error\n  layers:\n    - ", layer,
                      "\n    - flatten\n    - dense: 1\noptimizer:\n", optimizer);
}

constexpr char kSparse[] = "embedding: {vocabulary: 9, width: 2, sparse: true}";

TEST(SparseSpec, SgdAndAdamTrainIt) {
  for (const char* optimizer :
       {"  {name: sgd, lr: 1, clip_norm: 2}\n", "  {name: adam, lr: 1, beta1: 0.5}\n"}) {
    const std::string text = SpecText(kSparse, optimizer);
    EXPECT_EQ(MistakesOf(text), "");
    const JobSpec spec = *ParseText(text, "s.yaml");
    EXPECT_TRUE(std::get<Embedding>(spec.native->model.layers[0].op).sparse);
    const std::string written = WriteSpec(spec);
    EXPECT_EQ(WriteSpec(*ParseText(written, "s.yaml")), written);
  }
}

TEST(SparseSpec, WhatMovesAllRowsIsRefusedInOneRound) {
  EXPECT_EQ(
      MistakesOf(SpecText(kSparse, "  name: sgd\n  lr: 1\n  momentum: 0.9\n  weight_decay: 0.1\n")),
      "s.yaml:14: optimizer.momentum: layer embedding1 is a sparse embedding, and momentum "
      "moves every row in each step; remove it; or take `sparse: true` away\n"
      "s.yaml:15: optimizer.weight_decay: layer embedding1 is a sparse embedding, and weight "
      "decay changes every row in each step; remove it; or take `sparse: true` away");
  EXPECT_EQ(MistakesOf(SpecText(kSparse, "  name: adamw\n  lr: 1\n")),
            "s.yaml:12: optimizer.name: layer embedding1 is a sparse embedding, which adamw can't "
            "train; use sgd or adam; or take `sparse: true` away");
}

TEST(SparseSpec, WhatIsMappedIsSparse) {
  const std::string mapped = "embedding: {vocabulary: 9, width: 2, storage: mmap}";
  const std::string text = SpecText(mapped, "  {name: sgd, lr: 1}\n");
  EXPECT_EQ(MistakesOf(text), "");
  const JobSpec spec = *ParseText(text, "s.yaml");
  const auto& embedding = std::get<Embedding>(spec.native->model.layers[0].op);
  EXPECT_TRUE(embedding.mapped && embedding.sparse);
  EXPECT_TRUE(HasMappedTable(spec.native->model));
  const std::string written = WriteSpec(spec);
  EXPECT_EQ(WriteSpec(*ParseText(written, "s.yaml")), written);
  EXPECT_EQ(
      MistakesOf(SpecText("embedding: {vocabulary: 20000000, width: 2, storage: disk}",
                          "  {name: sgd, lr: 1}\n")),
      "s.yaml:8: model.layers.0.embedding.vocabulary: must be at most 16777216, is 20000000: ids "
      "travel as float32, which holds whole numbers exactly up to there; split the ids over "
      "several "
      "tables, or hash them\ns.yaml:8: model.layers.0.embedding.storage: unknown value 'disk'; use "
      "memory "
      "or mmap");
  EXPECT_EQ(
      MistakesOf(SpecText("embedding: {vocabulary: 9, width: 2, storage: mmap, sparse: false}",
                          "  {name: sgd, lr: 1}\n")),
      "s.yaml:8: model.layers.0.embedding.sparse: what is stored as mmap is too large to be "
      "dense; remove it");
}

TEST(SparseSpec, WhatIsFrozenNeedsNoOptimizer) {
  EXPECT_EQ(MistakesOf(SpecText(absl::StrCat("{frozen: true, ", kSparse, "}"),
                                "  {name: adamw, lr: 1}\n")),
            "");
}

}  // namespace
}  // namespace baton::spec
