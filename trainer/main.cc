// baton-trainer: the native data-parallel trainer (trainer/DESIGN.md). Flags win over the
// environment of the public job contract.
#include <pthread.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <thread>

#include "CLI/CLI.hpp"
#include "common/contract.h"
#include "common/log.h"
#include "common/spec/job_spec.h"
#include "trainer/doctor/doctor.h"
#include "trainer/job.h"
#include "trainer/predict/flags.h"

namespace {

std::atomic<bool> g_stop{false};

void OnStopSignal(int) { g_stop = true; }

// Signals are for a thread that does nothing else. The kernel puts a signal's frame below the stack
// pointer of the thread that it interrupts. A SIGTERM to a thread that computed was seen to leave
// zeros in the heap, about once in forty times: as if one of oneDNN's generated kernels had its
// stack pointer there (not proven; with this thread it was seen no more).
void HandleSignals() {
  sigset_t stops;
  sigemptyset(&stops);
  sigaddset(&stops, SIGTERM);
  sigaddset(&stops, SIGINT);
  pthread_sigmask(SIG_BLOCK, &stops, nullptr);  // threads inherit it
  struct sigaction stop {};
  stop.sa_handler = OnStopSignal;
  stop.sa_flags = SA_RESTART;
  sigaction(SIGTERM, &stop, nullptr);
  sigaction(SIGINT, &stop, nullptr);
  std::thread([stops] {
    pthread_sigmask(SIG_UNBLOCK, &stops, nullptr);
    while (true) pause();
  }).detach();
  // A peer that dies must not take this process with it: Gloo writes to its socket.
  std::signal(SIGPIPE, SIG_IGN);
}

void AddFlags(CLI::App& app, baton::trainer::JobOptions& options) {
  namespace contract = baton::contract;
  // A script that appends a flag to its own means the last one.
  app.option_defaults()->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
  app.add_option("--spec", options.spec_file, "the spec (YAML with a `model:`)")
      ->envname(contract::kSpecFile);
  app.add_option("--data", options.data_dir, "where the spec's data files are looked up first")
      ->envname(contract::kDataDir);
  app.add_option("--set", options.sets, "change a field of the spec, e.g. optimizer.lr=0.1")
      ->type_name("PATH=VALUE")
      ->envname(contract::kSpecSets)
      ->delimiter('\n')
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
      ->allow_extra_args(false);
  app.add_option("--device", options.device, "what computes: auto, cpu or cuda")
      ->check(CLI::IsMember({"auto", "cpu", "cuda"}));
  app.add_option(
         "--cpu-isa", options.cpu_isa,
         "the best instruction set that a CPU computes with, in place of the spec's cpu_isa")
      ->check(CLI::IsMember(baton::spec::CpuIsas()));
  app.add_option(
      "--weights-in", options.weights_in,
      "begin with the weights of this file: safetensors, PyTorch's .pth, Keras' .h5; of a "
      "text's words also word2vec's .txt, .vec or .bin");
  app.add_option("--weights-skip", options.weights_skip,
                 "a layer that begins as it is drawn, e.g. fc; again for others")
      ->type_name("LAYER")
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
      ->allow_extra_args(false);
  app.add_option("--weights-out", options.weights_out, "write the weights at the end to this file");
  app.add_option("--onnx", options.onnx_out, "write the model at the end to this ONNX file");
  app.add_flag("--init-only", options.init_only,
               "write what a run would begin with to --weights-out or --onnx, and end");
  app.add_flag("--dry-run", options.dry_run,
               "check the spec and its data, say how much memory a run needs, and end");
  app.add_option("--losses", options.losses_file, "write the loss of each step to this CSV file");
  app.add_option("--steps", options.steps_max,
                 "end after so many steps; the learning rate keeps the spec's schedule")
      ->check(CLI::Range(int64_t{0}, int64_t{1} << 62));
  app.add_option("--replay-to", options.replay_to,
                 "end after so many steps, as if the run went on: the hash chain up to there is "
                 "that of the whole run, and no model is written")
      ->envname(contract::kReplayTo)
      ->check(CLI::Range(int64_t{0}, int64_t{1} << 62));
  app.add_option("--output", options.output_dir, "folder for model.safetensors [runs/<name>]")
      ->envname(contract::kOutputDir);
  app.add_option("--checkpoints", options.checkpoint_dir,
                 "folder for checkpoints [<output>/checkpoints]")
      ->envname(contract::kCheckpointDir);
  app.add_option("--resume", options.resume_dir, "checkpoint to go on from, e.g. .../step-00000400")
      ->envname(contract::kResumeDir);
  app.add_option("--metrics", options.metrics_file, "file that metrics are appended to")
      ->envname(contract::kMetricsFile);
  app.add_option("--deadline-file", options.deadline_file,
                 "when this file appears, save and leave with exit code 75")
      ->envname(contract::kDeadlineFile);
  app.add_option("--save-file", options.save_file,
                 "each time that this file appears or is replaced, save soon")
      ->envname(contract::kSaveFile);
  app.add_option("--mtbf", options.mtbf_s,
                 "seconds until a machine of the run is lost, on average: how often to save")
      ->check(CLI::Range(0.0, 1e10))
      ->envname(contract::kMtbf);
}

// Of a rank among others.
void AddGangFlags(CLI::App& app, baton::trainer::JobOptions& options) {
  namespace contract = baton::contract;
  app.add_option("--rank", options.rank,
                 "this process, from 0; one beyond the membership file joins later")
      ->envname(contract::kRank);
  app.add_option("--local-rank", options.local_rank,
                 "this process among those of its node, from 0: which card it takes")
      ->envname(contract::kLocalRank)
      ->check(CLI::Range(0, 1 << 20));
  app.add_option("--world-size", options.world_size, "processes in all")
      ->envname(contract::kWorldSize);
  app.add_option("--rendezvous", options.rendezvous, "where ranks meet: dir:FOLDER or unix:SOCKET")
      ->envname(contract::kRendezvous);
  app.add_option("--membership", options.membership_file, "the gang as a file (JSON)")
      ->envname(contract::kMembershipFile);
  app.add_option("--address", options.address, "address by which the other ranks reach this node")
      ->envname(contract::kNodeAddress);
  app.add_option("--threads", options.threads, "threads of this rank [one per shard and CPU]")
      ->check(CLI::Range(0, 4096));
  app.add_option("--exchange", options.exchange,
                 "how gradients travel between cards: auto (directly, by NCCL, where each rank has "
                 "a card and NCCL) or host (through the hosts' memory); the same bits")
      ->check(CLI::IsMember({"auto", "host"}));
  app.add_option("--silence-ms", options.silence_ms, "after which a silent peer counts as lost")
      ->check(CLI::Range(10, 3600000));
}

}  // namespace

int main(int argc, char** argv) {
  baton::InitLog("baton-trainer");
  CLI::App app("Trains a model, data-parallel and bit-exact at any number of ranks.",
               "baton-trainer");
  app.footer(
      "Examples:\n"
      "  baton-trainer --spec trainer/specs/lenet.yaml --output /tmp/lenet\n"
      "  baton-trainer --spec S.yaml --init-only --weights-out start.safetensors\n"
      "  for r in 0 1; do baton-trainer --spec trainer/specs/lenet.yaml --output /tmp/lenet \\\n"
      "    --rank $r --world-size 2 --rendezvous dir:/tmp/meet & done; wait\n"
      "  baton-trainer predict --model /tmp/lenet --input x.npy --output y.npy\n"
      "Exit codes: 0 trained, 1 failed, 2 bad spec, data or flags, or diverged, 75 saved and asked "
      "to be\n"
      "resumed, 76 another rank was lost.");
  baton::trainer::JobOptions options;
  AddFlags(app, options);
  AddGangFlags(app, options);
  baton::trainer::PredictOptions prediction;
  const CLI::App* predict = baton::trainer::AddPredict(app, prediction);
  CLI::App* doctor = app.add_subcommand("doctor", "What this machine has for training, tried out");
  std::string format = "text";
  doctor->add_option("--output", format, "text or json")->check(CLI::IsMember({"text", "json"}));
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    const int code = app.exit(error);
    return code == 0 ? baton::trainer::kExitOk : baton::trainer::kExitUsage;
  }
  if (doctor->parsed()) return baton::trainer::RunDoctor(format == "json");
  if (predict->parsed()) return baton::trainer::RunPredict(prediction);
  HandleSignals();
  const int code = baton::trainer::RunJob(options, g_stop);
  std::fflush(nullptr);
  // Threads of a lost gang or of an unfinished write may still run: nothing waits for them.
  std::_Exit(code);
}
