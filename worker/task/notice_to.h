// Whom of a Slurm script's job a notice is for: `#SBATCH --signal=B:USR1` means the batch script
// alone, without the B its steps alone. The standard library only.
#pragma once

#include <string>

namespace baton::worker {

// SLURM_SIGNAL_TO, which the job's own environment sets: batch, steps, or not there (everybody).
inline constexpr char kNoticeTo[] = "SLURM_SIGNAL_TO";

// `environment`: as a process was started with it, each variable between zeros.
bool IsForNotice(const std::string& environment);

}  // namespace baton::worker
