// What a person is told when something is submitted. On stderr.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "CLI/App.hpp"
#include "client/job_source.h"
#include "client/package.h"

namespace baton::client {

// "packed 3 files (1.2 KiB); left out: ..".
std::string PackedText(const PackagePlan& plan);

void Warn(const std::string& text);
void WarnOfSecrets(const std::vector<std::string>& held_back);

// What is sent, and what runs.
void Tell(const JobSource& source, const PackagePlan& plan);

// The flags of `baton train` that say something about the job, for another verb that submits; what
// was typed is in the result once the words are parsed.
std::shared_ptr<JobSourceOptions> AddJobFlags(CLI::App& verb);

}  // namespace baton::client
