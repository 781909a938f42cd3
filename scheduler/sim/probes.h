// Rare branches count how often they are reached; a long run fails when one never was.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace baton::sim {

class Probes {
 public:
  void Hit(const std::string& name) { ++hits_[name]; }
  void Add(const Probes& other) {
    for (const auto& [name, hits] : other.hits_) hits_[name] += hits;
  }
  const std::map<std::string, uint64_t>& hits() const { return hits_; }

  // Those of `expected` that were never reached.
  std::vector<std::string> Missing(const std::vector<std::string>& expected) const {
    std::vector<std::string> missing;
    for (const std::string& name : expected) {
      if (hits_.count(name) == 0) missing.push_back(name);
    }
    return missing;
  }

 private:
  std::map<std::string, uint64_t> hits_;
};

}  // namespace baton::sim
