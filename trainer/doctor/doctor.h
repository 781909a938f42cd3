// `baton-trainer doctor`: what this machine has for training, whether it works, and what is
// missing.
#pragma once

#include <string>
#include <vector>

#include "trainer/doctor/report.h"

namespace baton::trainer {

struct DoctorOptions {
  std::vector<std::string> backend_folders;  // as BackendFolders()
  std::string nvml = kNvmlLibrary;
  double seconds = 0.5;  // of training on each device
};

Report Examine(const DoctorOptions& options);

// Prints the report. Returns kExitOk when everything that is there works, else kExitFailed.
int RunDoctor(bool json);

}  // namespace baton::trainer
