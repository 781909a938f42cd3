#include "trainer/job.h"

#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <memory>
#include <optional>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/atomic_file.h"
#include "common/clock.h"
#include "common/contract.h"
#include "common/hash.h"
#include "common/log.h"
#include "common/spec/files.h"
#include "common/spec/parse.h"
#include "common/status.h"
#include "trainer/backend/plugin.h"
#include "trainer/checkpoint/reader.h"
#include "trainer/checkpoint/safetensors.h"
#include "trainer/checkpoint/word_vectors.h"
#include "trainer/data/make.h"
#include "trainer/device.h"
#include "trainer/loop.h"
#include "trainer/onnx/export.h"
#include "trainer/parallel/membership.h"
#include "trainer/replica.h"

namespace baton::trainer {
namespace {

namespace fs = std::filesystem;

// Only a gang has peers: what these codes say of a rank alone is about its own files.
bool IsPeerLost(const absl::Status& status, int world_size) {
  if (world_size <= 1) return false;
  return absl::IsUnavailable(status) || absl::IsDeadlineExceeded(status) || absl::IsAborted(status);
}

int AvailableCpus() {
  cpu_set_t cpus;
  CPU_ZERO(&cpus);
  return sched_getaffinity(0, sizeof(cpus), &cpus) == 0 ? std::max(CPU_COUNT(&cpus), 1) : 1;
}

// The user's word, else the field's (OMP_NUM_THREADS, which launchers set), else the machine's.
int ThreadCount(const JobOptions& options, int shards) {
  int threads = options.threads;
  const char* omp = std::getenv("OMP_NUM_THREADS");
  if (threads <= 0 && (omp == nullptr || !absl::SimpleAtoi(omp, &threads) || threads <= 0)) {
    threads = AvailableCpus();
  }
  return std::clamp(threads, 1, shards);
}

class Job {
 public:
  Job(const JobOptions& options, const std::atomic<bool>& stop) : options_(options), stop_(stop) {}

  absl::StatusOr<Ending> Run() {
    BATON_RETURN_IF_ERROR(ReadSpec());
    BATON_RETURN_IF_ERROR(CheckFlags());
    if (options_.init_only) return WriteStart();
    BATON_RETURN_IF_ERROR(ReadMembers());
    BATON_RETURN_IF_ERROR(TakeDevice());
    MakeData();
    BATON_RETURN_IF_ERROR(MakeReplica());
    BATON_RETURN_IF_ERROR(TakeWeights());
    BATON_RETURN_IF_ERROR(Resume());
    // Last, since it makes the folder.
    BATON_RETURN_IF_ERROR(CheckOutput());
    usage_errors_ = false;
    BATON_RETURN_IF_ERROR(replica_->WarmUp());
    BATON_RETURN_IF_ERROR(Meet());
    BATON_ASSIGN_OR_RETURN(Ending ending, RunLoop(Loop(), *gang_.group, *replica_, *chain_));
    if (ending.kind == Ending::Kind::kFinished && membership_.rank == 0) {
      BATON_RETURN_IF_ERROR(WriteWords());
      BATON_RETURN_IF_ERROR(WriteOnnx(replica_->weights()));
    }
    return ending;
  }

  // Whether INVALID_ARGUMENT and the like are about what the user gave.
  bool usage_errors() const { return usage_errors_; }
  int world_size() const { return membership_.world_size; }

 private:
  const spec::NativeSpec& native() const { return *spec_.native; }

  absl::Status ReadSpec();
  absl::Status CheckFlags() const;
  absl::StatusOr<Ending> WriteStart() const;
  absl::Status WriteOnnx(absl::Span<const float> weights) const;
  absl::Status TakeWeights();
  absl::Status TakeVectors();
  absl::Status WriteWords() const;
  absl::Status ReadMembers();
  std::string OutputFolder() const;
  absl::Status CheckOutput() const;
  absl::Status TakeDevice();
  absl::StatusOr<std::string> FindFile(const spec::FileSource& source) const;
  void ReadData(spec::Reading* reading);
  void MakeData();
  absl::Status MakeReplica();
  absl::Status Resume();
  absl::Status Meet();
  LoopOptions Loop() const;

  const JobOptions& options_;
  const std::atomic<bool>& stop_;
  bool usage_errors_ = true;
  spec::JobSpec spec_;
  Membership membership_;
  spec::DataFiles files_;
  Datasets data_;
  std::unique_ptr<Backend> backend_;
  Identity identity_;
  // The replica holds on to the gang's group, so it goes first.
  Gang gang_;
  std::unique_ptr<Replica> replica_;
  std::optional<HashChain> chain_;
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
  if (!options_.init_only) ReadData(&reading);
  BATON_RETURN_IF_ERROR(reading.mistakes.ToStatus());
  spec_ = std::move(reading.spec);
  return absl::OkStatus();
}

absl::Status Job::CheckFlags() const {
  if (options_.init_only && options_.weights_out.empty() && options_.onnx_out.empty()) {
    return absl::InvalidArgumentError(
        "--init-only: say where to, with --weights-out FILE or --onnx FILE");
  }
  if (options_.init_only && IsVectorFile(options_.weights_in)) {
    return absl::InvalidArgumentError(
        "--init-only reads no data, which say what row a word has; leave --weights-in out, or give "
        "a .safetensors file");
  }
  return absl::OkStatus();
}

// The weights that a run would begin with.
absl::StatusOr<Ending> Job::WriteStart() const {
  BATON_ASSIGN_OR_RETURN(const std::vector<Parameter> parameters, ModelParameters(native().model));
  const size_t count = parameters.empty() ? 0 : parameters.back().offset + parameters.back().count;
  FloatMemory weights(std::vector<float>(spec::HasMappedTable(native().model) ? 0 : count));
  if (spec::HasMappedTable(native().model)) {
    const std::string folder = fs::path(options_.weights_out).parent_path();
    BATON_ASSIGN_OR_RETURN(weights, FloatMemory::InFile(folder.empty() ? "." : folder, count));
  }
  BATON_RETURN_IF_ERROR(InitializeParameters(native().model, spec_.seed, weights.data()));
  if (!options_.weights_in.empty()) {
    std::vector<std::string> unused;
    BATON_RETURN_IF_ERROR(LoadWeights(options_.weights_in, parameters, weights.span(), &unused));
  }
  if (!options_.weights_out.empty()) {
    BATON_RETURN_IF_ERROR(WriteSafetensors(options_.weights_out, parameters, weights.span()));
  }
  BATON_RETURN_IF_ERROR(WriteOnnx(weights.span()));
  absl::PrintF("wrote %d tensors, %d values\n", parameters.size(), count);
  return Ending{};
}

absl::Status Job::WriteOnnx(absl::Span<const float> weights) const {
  if (options_.onnx_out.empty()) return absl::OkStatus();
  BATON_ASSIGN_OR_RETURN(const std::string bytes, ExportOnnx(native().model, weights));
  return WriteFileAtomically(options_.onnx_out, bytes);
}

// A checkpoint that is resumed has what these became.
absl::Status Job::TakeWeights() {
  if (options_.weights_in.empty()) return absl::OkStatus();
  if (IsVectorFile(options_.weights_in)) {
    BATON_RETURN_IF_ERROR(TakeVectors());
  } else {
    std::vector<std::string> unused;
    BATON_RETURN_IF_ERROR(replica_->StartWith(options_.weights_in, &unused));
    for (const std::string& name : unused) {
      LogWarning(absl::StrCat(options_.weights_in, ": '", name, "' is not in the model"));
    }
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

// What others read, beside the model: vectors.bin, vectors.txt, and word2vec.c's vocabulary.
absl::Status Job::WriteWords() const {
  if (data_.words.empty()) return absl::OkStatus();
  const std::string folder = OutputFolder();
  const Parameter& table = replica_->word_table();
  const float* rows = replica_->weights().data() + table.offset;
  const auto width = static_cast<size_t>(table.shape[1]);
  BATON_RETURN_IF_ERROR(WriteVectors(absl::StrCat(folder, "/vectors.bin"), VectorFormat::kBinary,
                                     data_.words, rows, width));
  // As text it would be built in memory.
  if (!replica_->mapped()) {
    BATON_RETURN_IF_ERROR(WriteVectors(absl::StrCat(folder, "/vectors.txt"), VectorFormat::kText,
                                       data_.words, rows, width));
  }
  std::string vocabulary;
  for (size_t i = 0; i < data_.words.size(); ++i) {
    absl::StrAppend(&vocabulary, data_.words[i], " ", data_.word_counts[i], "\n");
  }
  return WriteFileAtomically(absl::StrCat(folder, "/vocabulary.txt"), vocabulary);
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
  BATON_ASSIGN_OR_RETURN(Device device,
                         OpenDevice(options_.device, options_.local_rank, BackendFolders()));
  LogInfo(device.choice);
  backend_ = std::move(device.backend);
  identity_ = {backend_->identity(), device.build};
  return absl::OkStatus();
}

// The file as it was packed for this task, or as the spec's author has it.
absl::StatusOr<std::string> Job::FindFile(const spec::FileSource& source) const {
  std::string path;
  if (!options_.data_dir.empty() && !spec::IsOnNode(source.uri) &&
      !absl::StartsWith(source.uri, "/")) {
    path = absl::StrCat(options_.data_dir, "/", source.uri);
    std::error_code error;
    if (!fs::exists(path, error)) path.clear();
  }
  if (path.empty()) {
    const std::string folder = fs::path(options_.spec_file).parent_path();
    BATON_ASSIGN_OR_RETURN(path, spec::ResolveUri(source.uri, folder.empty() ? "." : folder));
  }
  // Without a digest there is nothing to compare; whether it can be read shows when it is read.
  BATON_RETURN_IF_ERROR(source.sha256.empty() ? spec::CheckPlainFile(path)
                                              : spec::VerifyFile(path, source.sha256));
  return path;
}

// Reads what the spec names, once; what is kept MakeData uses up.
void Job::ReadData(spec::Reading* reading) {
  const auto find = [&](const spec::NamedFile& file) -> absl::StatusOr<std::optional<std::string>> {
    BATON_ASSIGN_OR_RETURN(std::string path, FindFile(*file.source));
    return path;
  };
  spec::CheckData(find, &files_, reading);
}

void Job::MakeData() {
  for (const auto& [field, file] : files_.tables) {
    if (file.columns.skipped == 0) continue;
    LogWarning(absl::StrCat(field, ": ", file.columns.skipped,
                            " rows are left out; the first: ", file.columns.first_skipped));
  }
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
  replica.judge = data_.judge.get();
  replica.backend = backend_.get();
  replica.clock = &SystemClock();
  replica.scratch = OutputFolder();
  // Rows that a file of vectors does not have are part of the definition as they were drawn.
  replica.draw = options_.resume_dir.empty() || !options_.weights_in.empty();
  replica.threads = ThreadCount(options_, run.count);
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
                            ": the last bits may differ from an undisturbed run's"));
  }
  if (before.build != identity_.build) {
    LogWarning(absl::StrCat("the checkpoint was written by trainer build ", before.build,
                            ", this is ", identity_.build,
                            ": the last bits may differ from an undisturbed run's"));
  }
  chain_ = checkpoint.header().chain;
  BATON_RETURN_IF_ERROR(replica_->Restore(checkpoint));
  restore_s_ = static_cast<double>(SystemClock().MonotonicMillis() - begin_ms) / 1000;
  absl::PrintF("resumed from step %d of %d\n", replica_->step(), replica_->steps_total());
  std::fflush(stdout);
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
  return replica_->Join(*gang_.group);
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
  loop.steps_max = options_.steps_max;
  loop.deadline_file = options_.deadline_file;
  loop.identity = identity_;
  loop.stop = &stop_;
  loop.restore_s = restore_s_;
  loop.clock = &SystemClock();
  return loop;
}

}  // namespace

int RunJob(const JobOptions& options, const std::atomic<bool>& stop) {
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
  LogError(status.message());
  // The same in every run of the spec.
  if (absl::IsOutOfRange(status)) return kExitUsage;
  const bool usage =
      job.usage_errors() && (absl::IsInvalidArgument(status) || absl::IsNotFound(status) ||
                             absl::IsFailedPrecondition(status));
  return usage ? kExitUsage : kExitFailed;
}

}  // namespace baton::trainer
