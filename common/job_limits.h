// What a job may ask for at most. The reader of specs and the scheduler's edge refuse the same, so
// that a spec which was read is not refused later, without its line.
#pragma once

#include <cstddef>
#include <cstdint>

namespace baton::limits {

inline constexpr int64_t kRanksMax = 4'096;
inline constexpr int64_t kShardsMax = 65'536;
inline constexpr int64_t kRetriesMax = 1'000;
inline constexpr int64_t kCheckpointsKeptMax = 1'000;
inline constexpr int64_t kTimeLimitMsMax = int64_t{10} * 366 * 24 * 60 * 60 * 1000;  // 10 years

// Of one rank.
inline constexpr int64_t kCpusMilliMax = 4'096'000;
inline constexpr int64_t kBytesMax = int64_t{1} << 50;  // memory, disk, memory of a GPU
inline constexpr int64_t kGpusMax = 64;
inline constexpr size_t kGpuTypeBytesMax = 128;
inline constexpr size_t kAnyOfMax = 8;  // alternatives

inline constexpr size_t kArgumentsMax = 4'096;  // words of a command
inline constexpr size_t kGlobsMax = 64;         // patterns of `checkpoints`
inline constexpr int64_t kSetupCommandsMax = 256;
inline constexpr int64_t kSetupBytesMax = 64 << 10;  // of all commands together
inline constexpr size_t kVariablesMax = 256;
inline constexpr size_t kVariableNameBytesMax = 128;
inline constexpr size_t kLabelsMax = 32;       // that a job requires
inline constexpr size_t kLabelBytesMax = 128;  // of a label's name, and of its value

inline constexpr size_t kDataSetsMax = 32;
inline constexpr size_t kUriBytesMax = 2'048;
inline constexpr size_t kSecretsMax = 64;
inline constexpr size_t kSecretBytesMax = 32 << 10;    // of a value
inline constexpr size_t kMaskedBytesMin = 6;           // of a value that is taken out of the log
inline constexpr size_t kSecretsBytesMax = 128 << 10;  // of all values of a job

// A whole job on the wire, without what its package and data hold.
inline constexpr size_t kSpecBytesMax = 512 << 10;

}  // namespace baton::limits
