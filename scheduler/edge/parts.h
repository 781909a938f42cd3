// What the services share, each built once in main.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>

#include "common/artifact/artifact.h"
#include "common/clock.h"
#include "scheduler/edge/dataset_book.h"
#include "scheduler/edge/driver.h"
#include "scheduler/edge/fetched_data.h"
#include "scheduler/edge/journal_writer.h"
#include "scheduler/edge/probe_reports.h"
#include "scheduler/edge/progress.h"
#include "scheduler/edge/rendezvous_relay.h"
#include "scheduler/edge/secret_vault.h"
#include "scheduler/edge/sessions.h"
#include "scheduler/edge/stream_ends.h"
#include "scheduler/edge/watch_hub.h"
#include "scheduler/edge/work_queue.h"
#include "scheduler/store/journal.h"
#include "scheduler/store/store.h"

namespace baton::edge {

inline constexpr char kVersion[] = "0.1.0";
inline constexpr int kProtocolMin = 1;
inline constexpr int kProtocolMax = 1;

// Constant after the start.
struct ServerFacts {
  uint64_t term = 0;
  std::string cluster_id;
  int64_t lease_ms = 10'000;
  int64_t started_unix_ms = 0;
};

// All outlive whoever holds the references.
struct Parts {
  Driver& driver;
  Sessions& sessions;
  Progress& progress;
  ProbeReports& probes;
  RendezvousRelay& rendezvous;
  JournalWriter& journal_writer;
  StreamEnds& stream_ends;
  WatchHub& watches;
  WorkQueue& work;
  store::Journal& journal;
  store::Store& store;
  artifact::Store& artifacts;
  DataSetBook& datasets;
  FetchedData& fetched;
  SecretVault& secrets;
  const Clock& clock;
  ServerFacts facts;
};

}  // namespace baton::edge
