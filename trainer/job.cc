#include "trainer/job.h"

#include <unistd.h>

#include <cerrno>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <memory>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/atomic_file.h"
#include "common/clock.h"
#include "common/contract.h"
#include "common/hash.h"
#include "common/log.h"
#include "common/spec/memory.h"
#include "common/spec/parse.h"
#include "common/status.h"
#include "trainer/backend/plugin.h"
#include "trainer/bottlenecks.h"
#include "trainer/checkpoint/reader.h"
#include "trainer/checkpoint/weights_in.h"
#include "trainer/checkpoint/word_vectors.h"
#include "trainer/data/make.h"
#include "trainer/device.h"
#include "trainer/isa.h"
#include "trainer/loop.h"
#include "trainer/out_of_memory.h"
#include "trainer/outputs.h"
#include "trainer/parallel/membership.h"
#include "trainer/replica.h"
#include "trainer/spec_files.h"
#include "trainer/threads.h"
#include "trainer/write_start.h"

namespace baton::trainer {
namespace {

namespace fs = std::filesystem;

// Only a gang has peers: what these codes say of a rank alone is about its own files.
bool IsPeerLost(const absl::Status& status, int world_size) {
  if (world_size <= 1) return false;
  return absl::IsUnavailable(status) || absl::IsDeadlineExceeded(status) || absl::IsAborted(status);
}

class Job {
 public:
  Job(const JobOptions& options, const std::atomic<bool>& stop) : options_(options), stop_(stop) {}

  absl::StatusOr<Ending> Run() {
    BATON_RETURN_IF_ERROR(ReadSpec());
    BATON_RETURN_IF_ERROR(CheckFlags());
    if (options_.init_only) {
      BATON_RETURN_IF_ERROR(WriteStart({.native = native(),
                                        .seed = spec_.seed,
                                        .weights_file = weights_file_,
                                        .skip = WeightsSkip(),
                                        .weights_out = options_.weights_out,
                                        .onnx_out = options_.onnx_out}));
      return Ending{};
    }
    BATON_RETURN_IF_ERROR(ReadMembers());
    BATON_RETURN_IF_ERROR(EstimateMemory());
    if (options_.dry_run) return Ending{};
    BATON_RETURN_IF_ERROR(TakeDevice());
    MakeData();
    split_ = PlanBottlenecks(native(), data_.train->count(),
                             data_.test == nullptr ? 0 : data_.test->count());
    BATON_RETURN_IF_ERROR(MakeReplica());
    BATON_RETURN_IF_ERROR(TakeWeights());
    BATON_RETURN_IF_ERROR(Resume());
    // Last, since it makes the folder.
    BATON_RETURN_IF_ERROR(CheckOutput());
    usage_errors_ = false;
    BATON_RETURN_IF_ERROR(MakeBottlenecks());
    BATON_RETURN_IF_ERROR(replica_->WarmUp());
    BATON_RETURN_IF_ERROR(Meet());
    BATON_ASSIGN_OR_RETURN(Ending ending, RunLoop(Loop(), *gang_.group, *replica_, *chain_));
    const bool model = ending.kind == Ending::Kind::kFinished && options_.replay_to == 0;
    if (model && membership_.rank == 0) {
      BATON_RETURN_IF_ERROR(WriteOnnx(native().model, replica_->weights(), options_.onnx_out));
      BATON_RETURN_IF_ERROR(
          WriteOutputs({spec_, data_, identity_, ending}, OutputFolder(), *replica_));
    }
    return ending;
  }

  // Whether INVALID_ARGUMENT and the like are about what the user gave.
  bool usage_errors() const { return usage_errors_; }
  int world_size() const { return membership_.world_size; }
  // Where memory goes and what to do, by the card's where one computes; empty: not known yet.
  std::string memory_advice() const {
    if (backend_ == nullptr || backend_->card_bytes() == 0) return memory_advice_;
    return CardMemoryAdvice(native(), rank_shape_, estimate_, backend_->card_bytes());
  }

 private:
  const spec::NativeSpec& native() const { return *spec_.native; }

  absl::Status ReadSpec();
  absl::Status CheckFlags() const;
  const std::vector<std::string>& WeightsSkip() const;
  absl::Status TakeWeights();
  absl::Status TakeVectors();
  absl::Status ReadMembers();
  absl::Status EstimateMemory();
  std::string OutputFolder() const;
  absl::Status CheckOutput() const;
  absl::Status TakeDevice();
  void ReadFiles(spec::Reading* reading);
  void MakeData();
  absl::Status MakeReplica();
  absl::Status MakeBottlenecks();
  absl::Status Resume();
  absl::Status Meet();
  LoopOptions Loop() const;

  const JobOptions& options_;
  const std::atomic<bool>& stop_;
  bool usage_errors_ = true;
  spec::JobSpec spec_;
  Membership membership_;
  std::string memory_advice_;
  spec::RankShape rank_shape_;
  spec::MemoryEstimate estimate_;
  spec::DataFiles files_;
  std::string weights_file_;  // to begin with; empty: drawn
  Datasets data_;
  std::optional<Split> split_;  // where the frozen beginning is computed once
  Datasets bottlenecks_;
  std::unique_ptr<Backend> backend_;
  Identity identity_;
  // The replica holds on to the gang's group, so it goes first.
  Gang gang_;
  std::unique_ptr<Replica> replica_;
  std::optional<HashChain> chain_;
  Best best_;
  std::vector<float> best_weights_;
  double restore_s_ = 0;
};

absl::Status Job::ReadSpec() {
  if (options_.spec_file.empty()) {
    return absl::InvalidArgumentError(
        "no spec: give --spec FILE, for example "
        "--spec trainer/specs/lenet.yaml");
  }
  BATON_ASSIGN_OR_RETURN(spec::Reading reading,
                         spec::ReadSpecFile(options_.spec_file, {.sets = options_.sets}));
  if (!reading.spec.native.has_value() && !reading.spec.command.empty()) {
    reading.AddMistake("command",
                       "this program trains specs with a `model:`; run the command itself, or "
                       "submit it with `baton train`");
  }
  // The flag is for one run of a spec that has weights of its own.
  const bool flag = !options_.weights_in.empty();
  if (flag && reading.spec.native) reading.spec.native->weights.reset();
  ReadFiles(&reading);
  BATON_RETURN_IF_ERROR(reading.mistakes.ToStatus());
  spec_ = std::move(reading.spec);
  weights_file_ = flag ? options_.weights_in : files_.weights;
  return absl::OkStatus();
}

absl::Status Job::CheckFlags() const {
  if (options_.init_only && options_.weights_out.empty() && options_.onnx_out.empty()) {
    return absl::InvalidArgumentError(
        "--init-only: say where to, with --weights-out FILE or --onnx FILE");
  }
  if (!options_.weights_skip.empty() && options_.weights_in.empty()) {
    return absl::InvalidArgumentError(
        "--weights-skip goes with --weights-in; for the spec's own weights there is --set "
        "weights.skip=[fc]");
  }
  if (options_.init_only && IsVectorFile(options_.weights_in)) {
    return absl::InvalidArgumentError(
        "--init-only reads no data, which say what row a word has; leave --weights-in out, or give "
        "a .safetensors file");
  }
  return absl::OkStatus();
}

const std::vector<std::string>& Job::WeightsSkip() const {
  return native().weights ? native().weights->skip : options_.weights_skip;
}

// A checkpoint that is resumed has what these became.
absl::Status Job::TakeWeights() {
  if (weights_file_.empty()) return absl::OkStatus();
  if (IsVectorFile(weights_file_)) {
    BATON_RETURN_IF_ERROR(TakeVectors());
  } else {
    std::vector<std::string> unused;
    BATON_RETURN_IF_ERROR(replica_->StartWith(weights_file_, WeightsSkip(), &unused));
    if (!unused.empty()) LogWarning(UnusedText(weights_file_, unused));
  }
  chain_ = HashChain::Begin(DefinitionJson(replica_->definition()).dump());
  return absl::OkStatus();
}

absl::Status Job::TakeVectors() {
  if (data_.words.empty()) {
    return absl::InvalidArgumentError(absl::StrCat(
        "--weights-in ", options_.weights_in,
        ": vectors of words need `data: {format: skip_gram, ..}`, whose text says which "
        "row is which word; give a .safetensors file"));
  }
  BATON_ASSIGN_OR_RETURN(const int64_t found,
                         replica_->StartWithVectors(options_.weights_in, data_.words));
  LogInfo(absl::StrCat(options_.weights_in, " has ", found, " of the text's ", data_.words.size(),
                       " words; the others begin as drawn"));
  return absl::OkStatus();
}

absl::Status Job::ReadMembers() {
  membership_.rank = options_.rank;
  membership_.world_size = options_.world_size;
  if (!options_.membership_file.empty()) {
    BATON_ASSIGN_OR_RETURN(membership_, ReadMembership(options_.membership_file, options_.rank));
  }
  if (!options_.address.empty()) membership_.address = options_.address;
  if (membership_.address.empty()) membership_.address = "127.0.0.1";
  const int world = membership_.world_size;
  if (world < 1 || membership_.rank < 0 || membership_.rank >= world) {
    return absl::InvalidArgumentError(absl::StrCat("--rank ", membership_.rank, " --world-size ",
                                                   world,
                                                   ": ranks count from 0 and must be below "
                                                   "the world size"));
  }
  if (world > native().shards) {
    return absl::InvalidArgumentError(
        absl::StrCat("--world-size ", world, ": the spec has ", native().shards,
                     " shards, and each rank needs one; use fewer ranks, or set `shards` (which "
                     "makes it another training)"));
  }
  if (world > 1) return CheckRendezvousAddress(options_.rendezvous);
  return absl::OkStatus();
}

absl::Status Job::EstimateMemory() {
  spec::RankShape shape;
  shape.ranks = membership_.world_size;
  const ShardRange run =
      RunOf(static_cast<int>(native().shards), membership_.world_size, membership_.rank);
  shape.threads = ThreadCount(options_.threads, run.count);
  shape.data_bytes = spec::DataBytes(native(), FinderOf(options_.data_dir, options_.spec_file));
  BATON_ASSIGN_OR_RETURN(const spec::MemoryEstimate estimate,
                         spec::EstimateMemory(native(), shape));
  if (options_.dry_run) {
    absl::PrintF("%s", spec::MemoryText(native(), shape, estimate));
    return absl::OkStatus();
  }
  rank_shape_ = shape;
  estimate_ = estimate;
  memory_advice_ = MemoryAdvice(native(), shape, estimate);
  if (estimate.host() > MemoryLimit()) {
    LogWarning(absl::StrCat("memory may not suffice: ", memory_advice_));
  }
  EndWithoutMemory(absl::StrCat("baton-trainer: out of memory\n", memory_advice_, "\n"));
  return absl::OkStatus();
}

std::string Job::OutputFolder() const {
  return options_.output_dir.empty() ? absl::StrCat("runs/", spec_.name) : options_.output_dir;
}

// Now, not after hours of training. What fills the disk meanwhile is another matter.
absl::Status Job::CheckOutput() const {
  if (membership_.rank != 0) return absl::OkStatus();
  const std::string folder = OutputFolder();
  std::error_code error;
  fs::create_directories(folder, error);
  int wrong = error.value();
  if (wrong == 0 && !fs::is_directory(folder, error)) wrong = ENOTDIR;
  if (wrong == 0 && access(folder.c_str(), W_OK | X_OK) != 0) wrong = errno;
  const std::string model = absl::StrCat(folder, "/", contract::kModelFile);
  if (wrong == 0 && fs::is_directory(model, error)) return ErrnoStatus(EISDIR, model);
  if (wrong == 0 || wrong == ENOSPC) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat("--output ", folder,
                                                    " can't be written: ", std::strerror(wrong),
                                                    "; name a folder that can be made or written"));
}

absl::Status Job::TakeDevice() {
  const std::string& isa = options_.cpu_isa.empty() ? native().cpu_isa : options_.cpu_isa;
  PinIsa(isa);
  BATON_ASSIGN_OR_RETURN(Device device, OpenDevice(options_.device, options_.local_rank,
                                                   BackendFolders(), native().fast_algorithms));
  LogInfo(device.choice);
  backend_ = std::move(device.backend);
  identity_ = {backend_->identity(), device.build};
  return CheckPinned(isa, identity_.backend);
}

// Reads what the spec names, once; what is kept MakeData uses up. A start needs no data.
void Job::ReadFiles(spec::Reading* reading) {
  if (options_.init_only) {
    spec::CheckWeights(FinderOf(options_.data_dir, options_.spec_file), &files_, reading);
  } else {
    ReadSpecData(options_.data_dir, options_.spec_file, &files_, reading);
  }
}

void TellFolder(const std::string& field, const image::Folder& folder) {
  LogInfo(absl::StrCat(field, ": ", folder.pictures.size(), " pictures of ", folder.labels.size(),
                       " classes"));
  if (folder.hidden > 0) {
    LogInfo(absl::StrCat(field, ": ", folder.hidden,
                         " files or folders with a dot in front are not looked at"));
  }
  if (folder.damaged.empty()) return;
  LogWarning(absl::StrCat(field, ": ", folder.damaged.size(), " files are left out; the first: ",
                          folder.damaged[0].path, ": ", folder.damaged[0].what));
}

void Job::MakeData() {
  for (const auto& [field, file] : files_.tables) {
    if (file.columns.skipped == 0) continue;
    LogWarning(absl::StrCat(field, ": ", file.columns.skipped,
                            " rows are left out; the first: ", file.columns.first_skipped));
  }
  for (const auto& [field, folder] : files_.folders) TellFolder(field, folder);
  data_ = MakeDatasets(native(), spec_.seed, std::move(files_));
}

absl::Status Job::MakeReplica() {
  const ShardRange run =
      RunOf(static_cast<int>(native().shards), membership_.world_size, membership_.rank);
  ReplicaOptions replica;
  replica.seed = spec_.seed;
  replica.spec = &native();
  replica.train = data_.train.get();
  replica.test = data_.test.get();
  replica.split = split_ ? &*split_ : nullptr;
  replica.judge = data_.judge.get();
  replica.backend = backend_.get();
  replica.clock = &SystemClock();
  replica.scratch = OutputFolder();
  // Rows that a file of vectors does not have are part of the definition as they were drawn.
  replica.draw = options_.resume_dir.empty() || !weights_file_.empty();
  replica.threads = ThreadCount(options_.threads, run.count);
  replica.direct = options_.exchange != "host";
  replica.silence = std::chrono::milliseconds(options_.silence_ms);
  BATON_ASSIGN_OR_RETURN(replica_, Replica::Create(replica));
  chain_ = HashChain::Begin(DefinitionJson(replica_->definition()).dump());
  return absl::OkStatus();
}

absl::Status Job::Resume() {
  if (options_.resume_dir.empty()) return absl::OkStatus();
  const int64_t begin_ms = SystemClock().MonotonicMillis();
  BATON_ASSIGN_OR_RETURN(const CheckpointFile checkpoint,
                         CheckpointFile::Open(options_.resume_dir));
  const Fit fit = CompareDefinitions(checkpoint.header().definition, replica_->definition());
  if (!fit.status.ok()) {
    return absl::Status(fit.status.code(),
                        absl::StrCat(options_.resume_dir, ": ", fit.status.message()));
  }
  for (const std::string& warning : fit.warnings) {
    LogWarning(absl::StrCat("resumed with another ", warning,
                            ": the result is not that of an undisturbed run"));
  }
  const Identity& before = checkpoint.header().identity;
  if (before.backend != identity_.backend) {
    LogWarning(absl::StrCat("the checkpoint was written with ", before.backend, ", this is ",
                            identity_.backend,
                            ": the last bits may differ from an undisturbed run's",
                            IsaHint(before.backend, identity_.backend)));
  }
  if (before.build != identity_.build) {
    LogWarning(absl::StrCat("the checkpoint was written by trainer build ", before.build,
                            ", this is ", identity_.build,
                            ": the last bits may differ from an undisturbed run's"));
  }
  chain_ = checkpoint.header().chain;
  best_ = checkpoint.header().best.value_or(Best{});
  BATON_RETURN_IF_ERROR(replica_->Restore(checkpoint, &best_weights_));
  restore_s_ = static_cast<double>(SystemClock().MonotonicMillis() - begin_ms) / 1000;
  absl::PrintF("resumed from step %d of %d\n", replica_->step(), replica_->steps_total());
  std::fflush(stdout);
  return absl::OkStatus();
}

absl::Status Job::MakeBottlenecks() {
  if (!split_) return absl::OkStatus();
  BottleneckOptions options;
  options.split = &*split_;
  options.backend = backend_.get();
  options.clock = &SystemClock();
  options.identity = absl::StrCat(identity_.backend, " ", identity_.build);
  options.threads = AvailableCpus();
  // What a worker finds in the output folder it uploads, and the next life has another one.
  if (options_.membership_file.empty()) options.folder = OutputFolder() + "/bottlenecks";
  options.write = membership_.rank == 0;
  options.stop = &stop_;
  BATON_ASSIGN_OR_RETURN(bottlenecks_.train,
                         ComputeBottlenecks("train", *data_.train, replica_->weights(), options));
  if (data_.test != nullptr) {
    BATON_ASSIGN_OR_RETURN(bottlenecks_.test,
                           ComputeBottlenecks("test", *data_.test, replica_->weights(), options));
  }
  replica_->ReadFrom(bottlenecks_.train.get(), bottlenecks_.test.get());
  return absl::OkStatus();
}

absl::Status Job::Meet() {
  FormOptions form;
  form.membership = membership_;
  form.rendezvous = options_.rendezvous;
  form.stop = &stop_;
  const absl::Span<const float> weights = replica_->weights();
  form.agreement.build = identity_.build;
  form.agreement.backend = identity_.backend;
  form.agreement.definition = DefinitionJson(replica_->definition()).dump();
  form.agreement.state = absl::StrCat(replica_->step(), " ", chain_->head(), " ",
                                      Xxh3(weights.data(), weights.size() * sizeof(float)));
  BATON_ASSIGN_OR_RETURN(gang_, Form(form));
  BATON_RETURN_IF_ERROR(replica_->Join(*gang_.group));
  const std::string way = replica_->exchange_way();
  if (membership_.world_size > 1 && !way.empty()) LogInfo(absl::StrCat("gradients travel ", way));
  return absl::OkStatus();
}

LoopOptions Job::Loop() const {
  LoopOptions loop;
  loop.checkpoint = spec_.checkpoint;
  loop.log_every_steps = native().log_every_steps;
  loop.evaluate_every_epochs = native().evaluate_every_epochs;
  loop.evaluate = data_.test != nullptr || data_.judge != nullptr;
  loop.output_dir = OutputFolder();
  loop.checkpoint_dir = options_.checkpoint_dir.empty()
                            ? absl::StrCat(loop.output_dir, "/checkpoints")
                            : options_.checkpoint_dir;
  loop.metrics_file = options_.metrics_file;
  loop.weights_file = options_.weights_out;
  loop.losses_file = options_.losses_file;
  loop.early_stopping = native().early_stopping;
  loop.best = best_;
  loop.best_weights = best_weights_;
  loop.steps_max = options_.steps_max;
  loop.replay_to = options_.replay_to;
  loop.deadline_file = options_.deadline_file;
  loop.save_file = options_.save_file;
  loop.mtbf_ms = std::llround(options_.mtbf_s * 1000);
  loop.identity = identity_;
  loop.stop = &stop_;
  loop.restore_s = restore_s_;
  loop.clock = &SystemClock();
  return loop;
}

}  // namespace

int RunJob(const JobOptions& options, const std::atomic<bool>& stop) {
  EndWithoutMemory("baton-trainer: out of memory while the spec's data were read; they must fit\n");
  Job job(options, stop);
  const absl::StatusOr<Ending> ending = job.Run();
  if (ending.ok()) {
    return ending->kind == Ending::Kind::kFinished ? kExitOk : contract::kExitResumeMe;
  }
  const absl::Status& status = ending.status();
  if (absl::IsCancelled(status)) {
    LogInfo("asked to leave before the first step; nothing new to save");
    return contract::kExitResumeMe;
  }
  if (IsPeerLost(status, job.world_size())) {
    LogError(absl::StrCat("a peer was lost: ", status.message(),
                          "; resume from the last checkpoint, at any number of ranks"));
    return contract::kExitPeerLost;
  }
  const bool memory = absl::IsResourceExhausted(status) && !IsOwnDiskFull(status);
  LogError(memory ? absl::StrCat(status.message(), "\n", job.memory_advice())
                  : std::string(status.message()));
  // The same in every run of the spec.
  if (absl::IsOutOfRange(status)) return kExitUsage;
  const bool usage =
      job.usage_errors() && (absl::IsInvalidArgument(status) || absl::IsNotFound(status) ||
                             absl::IsFailedPrecondition(status));
  return usage ? kExitUsage : kExitFailed;
}

}  // namespace baton::trainer
