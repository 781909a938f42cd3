// Keys of the records. Numbers are big-endian, so that key order is number order.
#pragma once

#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"

namespace baton::store {

// Table kMeta.
inline constexpr char kSchemaKey[] = "schema";      // decimal digits
inline constexpr char kTermKey[] = "term";          // decimal digits
inline constexpr char kCountersKey[] = "counters";  // Counters
inline constexpr char kLogKey[] = "log";            // LogPosition
inline constexpr char kSegmentsKey[] = "segments";  // Segments

// The job's id follows.
inline constexpr char kDeletedPrefix[] = "deleted/";  // DeletedJob
// Of the edge, and no part of the state (edge_record.proto); a data set's name, or a job's id.
inline constexpr char kDataSetPrefix[] = "data/set/";          // DataSet
inline constexpr char kFetchedDataPrefix[] = "data/fetched/";  // FetchedData
inline constexpr char kSecretsPrefix[] = "data/secret/";       // SealedSecrets

// The sweep's id follows; for a trial also '/' and its index.
inline constexpr char kSweepPrefix[] = "sweep/";  // Sweep
inline constexpr char kTrialPrefix[] = "trial/";  // Trial

// First byte of a key of table kShared; the digest follows.
inline constexpr char kSpecPrefix = 's';
inline constexpr char kSubmitterPrefix = 'u';

std::string NumberKey(uint64_t number);       // 8 bytes
uint64_t NumberOfKey(absl::string_view key);  // of the first 8 bytes, 0 when there are fewer

std::string TrialKey(absl::string_view sweep, int32_t index);
// Of table kMeta: a record of the state, and not of the log or the store itself.
bool IsState(absl::string_view meta_key);

// Tables kLog and kUndo. Sequence 0 in kLog is the segment's header.
std::string LogKey(uint64_t segment, uint64_t sequence);

// Table kNotes. '/' ends the id, so that no job's id is a prefix of another's keys.
std::string NotesPrefix(absl::string_view job);
std::string NotesKey(absl::string_view job, uint64_t sequence);

}  // namespace baton::store
