#include <chrono>
#include <cmath>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/random.h"
#include "common/status.h"
#include "tests/gpu/checks.h"
#include "tests/trainer/lenet.h"
#include "trainer/backend/reference/reference_backend.h"
#include "trainer/comm/local.h"
#include "trainer/data/image_dataset.h"
#include "trainer/replica.h"

namespace baton::trainer {
namespace {

constexpr int kSteps = 12;

// Pictures with a bright bar where the label says, and noise.
ImageDataset MakePictures(uint32_t count) {
  idx::IdxArray images{{count, 28, 28}, {}};
  idx::IdxArray labels{{count}, {}};
  Random random(5);
  for (uint32_t i = 0; i < count; ++i) {
    const auto label = static_cast<int>(random.Below(10));
    labels.values.push_back(static_cast<uint8_t>(label));
    for (int pixel = 0; pixel < 784; ++pixel) {
      const bool bright = pixel / 78 == label;
      images.values.push_back(static_cast<uint8_t>(random.Below(100) + (bright ? 120 : 0)));
    }
  }
  return ImageDataset(std::move(images), labels, 255);
}

spec::NativeSpec Training() {
  spec::NativeSpec training;
  training.shards = 5;
  training.epochs = 3;
  training.batch_size = 40;
  training.model = LeNet();
  training.model.layers.insert(training.model.layers.begin() + 9, {"drop", {}, spec::Dropout{0.2}});
  training.optimizer.lr = 0.05;
  training.optimizer.momentum = 0.9;
  return training;
}

struct Course {
  std::vector<double> losses;
  std::vector<float> weights;
  std::string way;  // of the gradients
};

bool Same(const Course& a, const Course& b) {
  return a.weights == b.weights && a.losses == b.losses;
}

absl::StatusOr<Course> TrainRank(Backend& backend, const Dataset& data, Group& group) {
  const spec::NativeSpec training = Training();
  ReplicaOptions options;
  options.seed = 3;
  options.spec = &training;
  options.train = &data;
  options.backend = &backend;
  options.clock = &SystemClock();
  options.threads = 1 + group.rank() % 2;  // bits must not depend on it
  options.silence = std::chrono::minutes(2);
  BATON_ASSIGN_OR_RETURN(const std::unique_ptr<Replica> replica, Replica::Create(options));
  BATON_RETURN_IF_ERROR(replica->Join(group));
  Course course;
  course.way = replica->exchange_way();
  for (int step = 0; step < kSteps; ++step) {
    BATON_ASSIGN_OR_RETURN(const Replica::StepResult result, replica->Step(0));
    course.losses.push_back(result.loss);
  }
  BATON_RETURN_IF_ERROR(replica->Fetch());
  course.weights.assign(replica->weights().begin(), replica->weights().end());
  replica->Part();
  return course;
}

// The course of rank 0 among as many as there are backends.
absl::StatusOr<Course> Train(absl::Span<Backend* const> backends, const Dataset& data) {
  auto members = MakeLocalGroup(static_cast<int>(backends.size()));
  std::vector<absl::StatusOr<Course>> courses(backends.size(), absl::UnknownError("did not run"));
  std::vector<std::thread> threads;
  for (size_t rank = 0; rank < courses.size(); ++rank) {
    threads.emplace_back([&, rank] {
      courses[rank] = TrainRank(*backends[rank], data, *members[rank]);
      members[rank].reset();
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const auto& course : courses) BATON_RETURN_IF_ERROR(course.status());
  return courses[0];
}

}  // namespace

void CheckTraining(Backend& card, Table& table) {
  const ImageDataset data = MakePictures(200);
  const auto reference = CreateReferenceBackend();
  const absl::StatusOr<Course> want = Train({reference.get()}, data);
  const Stopwatch watch;
  const absl::StatusOr<Course> got = Train({&card}, data);
  const double milliseconds = watch.Milliseconds();
  if (!want.ok() || !got.ok()) {
    const absl::Status& failure = got.ok() ? want.status() : got.status();
    table.Row("LeNet", false, 0, std::string(failure.message()));
    return;
  }
  // Rounding grows from step to step.
  double error = 0;
  for (size_t step = 0; step < want->losses.size(); ++step) {
    const double away = std::fabs(got->losses[step] - want->losses[step]);
    const double bound = 2e-6 * static_cast<double>(step + 1) * (1 + want->losses[step]);
    if (!(away <= error * bound)) error = away / bound;
  }
  table.Row("LeNet, losses of 12 steps", error, milliseconds / kSteps, "another course");
  for (const int ranks : {1, 2, 3, 5}) {
    const Stopwatch again;
    const absl::StatusOr<Course> same = Train(std::vector<Backend*>(ranks, &card), data);
    const bool good = same.ok() && Same(*same, *got);
    table.Row(absl::StrCat("LeNet, bits at ", ranks, " of 5 ranks"), good,
              again.Milliseconds() / kSteps,
              same.ok() ? "other bits" : std::string(same.status().message()));
  }
}

void CheckBetweenCards(absl::Span<Backend* const> cards, Table& table) {
  const ImageDataset data = MakePictures(200);
  const absl::StatusOr<Course> alone = Train(cards.subspan(0, 1), data);
  for (size_t ranks = 2; ranks <= cards.size(); ++ranks) {
    const Stopwatch watch;
    const absl::StatusOr<Course> got = Train(cards.subspan(0, ranks), data);
    std::string note = "other bits";
    if (!alone.ok() || !got.ok()) {
      note = std::string((got.ok() ? alone : got).status().message());
    } else if (got->way != "between devices") {
      note = got->way;
    } else if (Same(*got, *alone)) {
      note.clear();
    }
    table.Row(absl::StrCat("LeNet, bits at ", ranks, " ranks of 5 between cards"), note.empty(),
              watch.Milliseconds() / kSteps, note);
  }
}

}  // namespace baton::trainer
