// A small spec that is right, for tests that then spoil it.
#pragma once

#include <string>

#include "common/check.h"
#include "common/spec/parse.h"

namespace baton::spec {

// Lines are numbered so that a test can name them.
inline constexpr char kSample[] =
    /* 1 */
    "name: small\n"
    /* 2 */
    "ranks: 1..4\n"
    /* 3 */
    "epochs: 2\n"
    /* 4 */
    "batch_size: 64\n"
    /* 5 */
    "data:\n"
    /* 6 */
    "  classes: 10\n"
    /* 7 */
    "  train: {images: a.gz, labels: b.gz}\n"
    /* 8 */
    "  test: {images: c.gz, labels: d.gz}\n"
    /* 9 */
    "model:\n"
    /* 10 */
    "  input: [1, 28, 28]\n"
    /* 11 */
    "  divide_by: 255\n"
    /* 12 */
    "  layers:\n"
    /* 13 */
    "    - conv: {out: 6, kernel: 5}\n"
    /* 14 */
    "    - max_pool: {kernel: 2}\n"
    /* 15 */
    "    - relu\n"
    /* 16 */
    "    - flatten\n"
    /* 17 */
    "    - dense: {out: 10}\n"
    /* 18 */
    "optimizer:\n"
    /* 19 */
    "  name: sgd\n"
    /* 20 */
    "  lr: 0.05\n"
    /* 21 */
    "  momentum: 0.9\n"
    /* 22 */ "  schedule: {name: step, every_epochs: 3, factor: 0.5}\n";

// The sample with the first `from` replaced by `to`.
inline std::string Spoilt(const std::string& from, const std::string& to) {
  std::string text = kSample;
  const size_t at = text.find(from);
  BATON_CHECK(at != std::string::npos, "the sample has no " + from);
  return text.replace(at, from.size(), to);
}

// All mistakes, or "" for a good spec.
inline std::string MistakesOf(const std::string& text, const Overrides& overrides = {}) {
  return std::string(ParseText(text, "s.yaml", overrides).status().message());
}

}  // namespace baton::spec
