// What `doctor` has found, and how it is told.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/nvml.h"

namespace baton::trainer {

// A training of the built-in small model on one device.
struct Speed {
  double samples_per_s = 0;
  double first_loss = 0;  // of the same batch on every device
  std::string fault;      // it did not work: why; the others are 0 then
};

struct CpuReport {
  std::string model;
  int cpus = 0;        // that this process may use: affinity
  double quota = 0;    // of CPUs, by the cgroup; 0: none
  std::string isa;     // the best instruction set that it has
  std::string in_use;  // by the backend
  Speed speed;
};

struct CardReport {
  GpuFacts facts;
  GpuUse use;
  std::string verdict;         // what follows from its compute capability, in words
  bool usable = false;         // new enough
  std::optional<Speed> speed;  // where it was tried
};

struct Version {
  std::string name;
  std::string found;   // empty: not there
  std::string needed;  // empty: any will do, or none
};

// Something that a person may do.
struct Advice {
  bool broken = false;  // what is there does not work; else: what is missing, or could be better
  std::string what;
  std::string command;  // that mends it; empty: none does
};

struct Report {
  CpuReport cpu;
  std::vector<Version> versions;
  std::vector<CardReport> cards;
  std::string no_cards;  // why there are none, where there are none
  std::vector<Advice> advice;

  bool broken() const;
};

std::string ReportText(const Report& report);
std::string ReportJson(const Report& report);

}  // namespace baton::trainer
