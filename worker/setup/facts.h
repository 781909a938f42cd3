// What is told of an environment: the file that lies in it, the JSON that its job shows, and the
// text among the job's outputs. Pure.
//
// JSON, one object: kind (requirements, uv, conda, renv, setup, venv, image, or node: nothing was
// prepared), digest (its key, the image's, or of the node's packages), source (the file that was
// installed, or what the spec names), python, r, packages [name==version, cut where they exceed the
// room, none of a node's own], packages_total, setup_ms (this start's), from (built, cache,
// restored, node), build_ms (of whoever built it), cuda, driver. What is not known is left out.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace baton::worker {

struct EnvironmentFacts {
  std::string kind;
  std::string digest;
  std::string source;
  std::string python;
  std::string r;
  std::vector<std::string> packages;
  int64_t build_ms = 0;
  std::string root;  // the folder it was made in; not shown
  bool operator==(const EnvironmentFacts&) const = default;
};

// Of this start on this node.
struct StartFacts {
  std::string from;
  int64_t setup_ms = 0;
  std::string cuda;    // the newest that the driver supports; empty: no cards
  std::string driver;  // NVIDIA's
};

inline constexpr size_t kFactsBytesMax = 6 << 10;

// At most kFactsBytesMax.
std::string FactsJson(const EnvironmentFacts& facts, const StartFacts& start);

// All packages, a line each, below a few lines that say of what.
std::string FactsText(const EnvironmentFacts& facts, const StartFacts& start);

// As it lies in the environment, whole.
std::string StoredFacts(const EnvironmentFacts& facts);
absl::StatusOr<EnvironmentFacts> ReadStoredFacts(absl::string_view text);

}  // namespace baton::worker
