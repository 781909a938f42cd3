#include "trainer/predict/predict.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <memory>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/log.h"
#include "common/spec/shapes.h"
#include "common/status.h"
#include "nlohmann/json.hpp"
#include "trainer/backend/plugin.h"
#include "trainer/device.h"
#include "trainer/job.h"
#include "trainer/out_of_memory.h"
#include "trainer/parallel/shard_pool.h"
#include "trainer/predict/input.h"
#include "trainer/predict/output.h"
#include "trainer/threads.h"

namespace baton::trainer {
namespace {

using Time = std::chrono::steady_clock;

double SecondsSince(Time::time_point begin) {
  return std::chrono::duration<double>(Time::now() - begin).count();
}

struct Summary {
  int64_t samples = 0;
  double load_s = 0;          // until the model was ready
  double first_sample_s = 0;  // the first one, alone: kernels are made for it
  double others_s = 0;        // all others, with reading and writing
  int64_t batch = 0;
  int threads = 0;
  std::string device;

  double sample_s() const {
    return samples > 1 ? others_s / static_cast<double>(samples - 1) : first_sample_s;
  }
};

class Predictor {
 public:
  explicit Predictor(const PredictOptions& options) : options_(options), begin_(Time::now()) {}

  absl::Status Run() {
    BATON_ASSIGN_OR_RETURN(subject_, LoadSubject(options_.subject));
    BATON_ASSIGN_OR_RETURN(input_, OpenInput(*subject_, options_.inputs));
    BATON_RETURN_IF_ERROR(MakeNetworks());
    BATON_ASSIGN_OR_RETURN(output_, OpenOutput(*subject_, options_.output, options_.top));
    summary_.load_s = SecondsSince(begin_);
    BATON_RETURN_IF_ERROR(PredictFirst());
    const Time::time_point others = Time::now();
    while (true) {
      BATON_ASSIGN_OR_RETURN(const size_t read, ReadRound());
      if (read == 0) break;
      BATON_RETURN_IF_ERROR(Compute(read));
    }
    BATON_RETURN_IF_ERROR(output_->Finish());
    summary_.others_s = SecondsSince(others);
    if (const std::string remarks = input_->Remarks(); !remarks.empty()) LogWarning(remarks);
    if (not_finite_ > 0) {
      LogWarning(absl::StrCat(not_finite_,
                              " samples have outputs that are no finite numbers; the "
                              "first is ",
                              first_not_finite_,
                              "; look at its values, and whether "
                              "the weights are those of a training that went well"));
    }
    return absl::OkStatus();
  }

  const Summary& summary() const { return summary_; }

 private:
  // What one thread has in hand.
  struct Work {
    std::unique_ptr<Network> network;
    Batch batch;
    std::vector<std::string> names;
    std::vector<float> outputs;
    absl::Status status;
  };

  absl::Status MakeNetworks() {
    BATON_ASSIGN_OR_RETURN(Device device, OpenDevice(options_.device, 0, BackendFolders()));
    LogInfo(device.choice);
    backend_ = std::move(device.backend);
    summary_.device = backend_->identity();
    summary_.batch = options_.batch > 0 ? options_.batch : BlockFor(subject_->plan);
    summary_.threads = ThreadCount(options_.threads, 1024);
    pool_ = std::make_unique<ShardPool>(summary_.threads);
    work_.resize(static_cast<size_t>(summary_.threads));
    for (Work& work : work_) {
      BATON_ASSIGN_OR_RETURN(work.network, Network::Create(subject_->card.spec.native->model,
                                                           *backend_, summary_.batch));
    }
    return absl::OkStatus();
  }

  absl::Status PredictFirst() {
    const Time::time_point first = Time::now();
    BATON_ASSIGN_OR_RETURN(const bool any, Read(1, &work_[0]));
    if (any) BATON_RETURN_IF_ERROR(Compute(1));
    summary_.first_sample_s = SecondsSince(first);
    return absl::OkStatus();
  }

  absl::StatusOr<bool> Read(int64_t count_max, Work* work) {
    BATON_RETURN_IF_ERROR(input_->Next(count_max, &work->batch, &work->names));
    BATON_RETURN_IF_ERROR(CheckIds(subject_->card.spec.native->model, work->batch, work->names));
    return work->batch.count > 0;
  }

  // A batch for each thread; how many of them there are.
  absl::StatusOr<size_t> ReadRound() {
    for (size_t i = 0; i < work_.size(); ++i) {
      BATON_ASSIGN_OR_RETURN(const bool any, Read(summary_.batch, &work_[i]));
      if (!any) return i;
    }
    return work_.size();
  }

  absl::Status Compute(size_t count) {
    pool_->ForEach(static_cast<int>(count), [&](int task, int /*worker*/) {
      Work& work = work_[static_cast<size_t>(task)];
      work.status = work.network->Predict(subject_->weights.data(), work.batch, &work.outputs);
    });
    for (size_t i = 0; i < count; ++i) {
      BATON_RETURN_IF_ERROR(work_[i].status);
      BATON_RETURN_IF_ERROR(Write(work_[i]));
    }
    return absl::OkStatus();
  }

  absl::Status Write(const Work& work) {
    const auto size = static_cast<size_t>(spec::ElementCount(subject_->output));
    const auto given =
        static_cast<size_t>(spec::ElementCount(subject_->card.spec.native->model.inputs[0].shape));
    for (size_t i = 0; i < work.names.size(); ++i) {
      const auto inputs = absl::MakeConstSpan(work.batch.values).subspan(i * given, given);
      const auto outputs = absl::MakeConstSpan(work.outputs).subspan(i * size, size);
      BATON_RETURN_IF_ERROR(output_->Add(work.names[i], inputs, outputs));
      ++summary_.samples;
      const bool finite = std::all_of(outputs.begin(), outputs.end(),
                                      [](float value) { return std::isfinite(value); });
      if (!finite && not_finite_++ == 0) first_not_finite_ = work.names[i];
    }
    return absl::OkStatus();
  }

  const PredictOptions& options_;
  const Time::time_point begin_;
  std::optional<Subject> subject_;
  std::unique_ptr<Input> input_;
  std::unique_ptr<Output> output_;
  std::unique_ptr<Backend> backend_;
  std::unique_ptr<ShardPool> pool_;
  std::vector<Work> work_;
  Summary summary_;
  int64_t not_finite_ = 0;
  std::string first_not_finite_;
};

// To stdout where that is free, for scripts; else beside the log.
void Print(const PredictOptions& options, const Summary& summary) {
  std::FILE* out = options.output.empty() ? stderr : stdout;
  if (options.summary_json) {
    const nlohmann::ordered_json json = {{"samples", summary.samples},
                                         {"load_s", summary.load_s},
                                         {"first_sample_s", summary.first_sample_s},
                                         {"sample_s", summary.sample_s()},
                                         {"batch", summary.batch},
                                         {"threads", summary.threads},
                                         {"device", summary.device},
                                         {"output", options.output}};
    absl::FPrintF(out, "%s\n", json.dump());
    return;
  }
  absl::FPrintF(out, "%d samples; model loaded in %.3f s, first sample %.4f s, then %.6f s each\n",
                summary.samples, summary.load_s, summary.first_sample_s, summary.sample_s());
}

// The text goes to stdout as it comes, what it took to stderr.
absl::Status RunContinue(const PredictOptions& options) {
  const Time::time_point begin = Time::now();
  BATON_ASSIGN_OR_RETURN(const Subject subject, LoadSubject(options.subject));
  BATON_ASSIGN_OR_RETURN(Device device, OpenDevice(options.device, 0, BackendFolders()));
  LogInfo(device.choice);
  const double load_s = SecondsSince(begin);
  const Time::time_point first = Time::now();
  BATON_RETURN_IF_ERROR(ContinueText(subject, *device.backend, *options.prompt,
                                     options.continuation, [](absl::string_view text) {
                                       std::fwrite(text.data(), 1, text.size(), stdout);
                                       std::fflush(stdout);
                                     }));
  std::fputc('\n', stdout);
  const int64_t length = options.continuation.length;
  const double each_s = SecondsSince(first) / static_cast<double>(length);
  if (options.summary_json) {
    const nlohmann::ordered_json json = {{"characters", length},
                                         {"load_s", load_s},
                                         {"character_s", each_s},
                                         {"device", device.backend->identity()}};
    absl::FPrintF(stderr, "%s\n", json.dump());
  } else {
    absl::FPrintF(stderr, "%d characters; model loaded in %.3f s, then %.6f s each\n", length,
                  load_s, each_s);
  }
  return absl::OkStatus();
}

absl::Status RunSamples(const PredictOptions& options) {
  Predictor predictor(options);
  BATON_RETURN_IF_ERROR(predictor.Run());
  Print(options, predictor.summary());
  return absl::OkStatus();
}

}  // namespace

int RunPredict(const PredictOptions& options) {
  EndWithoutMemory("baton-trainer: out of memory; use a smaller --batch or fewer --threads\n");
  const absl::Status status = options.prompt ? RunContinue(options) : RunSamples(options);
  if (status.ok()) return kExitOk;
  LogError(status.message());
  const bool usage = absl::IsInvalidArgument(status) || absl::IsNotFound(status) ||
                     absl::IsFailedPrecondition(status) || absl::IsDataLoss(status) ||
                     absl::IsUnimplemented(status) || absl::IsPermissionDenied(status);
  return usage ? kExitUsage : kExitFailed;
}

}  // namespace baton::trainer
