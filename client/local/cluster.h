// A scheduler and workers on this machine, all below one folder: the first minute, and the tests.
//   DIR/local.json   what was asked for and the pids      DIR/log/*.log   what each program says
//   DIR/scheduler/   its store and address                DIR/workers/NAME/
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "client/local/process.h"
#include "client/local/tasks.h"

namespace baton::client {

struct LocalWorker {
  std::string name;
  std::string capacity;  // spot, on-demand
  Process process;
  std::string scheduler = {};         // that it dials; empty: the cluster's
  std::string metadata_url = "none";  // as the worker's flag
};

struct LocalCluster {
  std::string folder;   // absolute
  std::string address;  // of the scheduler, HOST:PORT
  double cpus = 1;      // that each worker offers
  Process scheduler;
  std::vector<LocalWorker> workers;
};

struct LocalOptions {
  std::string folder;                   // empty: DefaultLocalFolder()
  std::vector<std::string> capacities;  // of each worker; empty: as before, or spot,spot,on-demand
  double cpus = 0;                      // that each worker offers; 0: as before, or 1
  int port = 0;                         // 0: as before, or any free one
  // Called before a worker is started; may change what it dials.
  std::function<absl::Status(const LocalCluster&, LocalWorker*)> before_worker;
};

// Starts what does not run yet and waits until every worker has joined. Told lines as it goes.
absl::StatusOr<LocalCluster> LocalUp(const LocalOptions& options,
                                     const std::function<void(const std::string&)>& say);

// Start one that has died; the scheduler where it listened before. Neither waits for a worker to
// join.
absl::Status StartScheduler(LocalCluster* cluster);
absl::Status StartWorker(LocalCluster* cluster, LocalWorker* worker);

// Ends every program of the cluster (empty: of the newest one): workers first (their tasks get a
// notice), then the scheduler. The folder of what was there; "" when there was no cluster. The
// newest is then another one that runs, if any.
absl::StatusOr<std::string> LocalDown(const std::string& folder,
                                      const std::function<void(const std::string&)>& say);

// NotFound when `folder` (empty: that of the newest `up`) holds no cluster.
absl::StatusOr<LocalCluster> ReadLocal(const std::string& folder);

// Of the newest `baton local up` of this user that no `down` has ended. NotFound: there is none.
absl::StatusOr<LocalCluster> NewestLocal();

}  // namespace baton::client
