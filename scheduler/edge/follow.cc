#include "scheduler/edge/follow.h"

#include <utility>

#include "scheduler/edge/from_wire.h"
#include "scheduler/edge/to_wire.h"

namespace baton::edge {

void Follower::Stop() {
  stopped_ = true;
  std::lock_guard<std::mutex> lock(watch_mutex_);
  const uint64_t watch = watch_.exchange(0);
  if (watch != 0) parts_.watches.Remove(watch);
}

absl::Status Follower::Watch(const state::JobId& job, WatchHub::Pace pace,
                             const std::shared_ptr<Follower>& self) {
  std::lock_guard<std::mutex> lock(watch_mutex_);
  if (stopped_) return absl::CancelledError("nobody listens");
  auto watch = parts_.watches.Add(job, pace, [weak = std::weak_ptr<Follower>(self)] {
    if (const auto follower = weak.lock()) follower->Poke();
  });
  if (!watch.ok()) return watch.status();
  watch_ = *watch;
  return absl::OkStatus();
}

void JobFollower::Pull(Pulled<v1::WatchJobResponse> done) {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    if (!over_) {
      waiting_ = std::move(done);
      done = nullptr;
      if (looking_ || !due_) return;
      looking_ = true;
    }
  }
  if (done) {
    done(std::nullopt, absl::OkStatus());
  } else {
    LookNow();
  }
}

void JobFollower::Poke() {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    due_ = true;
    if (looking_ || !waiting_ || stopped_) return;
    looking_ = true;
  }
  LookNow();
}

void JobFollower::LookNow() {
  std::string what;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    due_ = false;
    what = job_.empty() ? request_.job() : job_;
  }
  const auto self = shared_from_this();
  const absl::Status posted =
      parts_.driver.Read(Driver::Source::kClient, [self, what](const Seen& seen) -> Release {
        auto look = std::make_shared<Look>();
        const auto job = seen.index.Find(what, SubmitterFromWire(self->request_.submitter()));
        if (job.ok()) {
          for (const state::Note& note : self->parts_.watches.TakeNotes(self->watch_)) {
            *look->response.add_notes() = ToWire(note);
          }
          *look->response.mutable_job() = JobToWire(seen, self->parts_.progress, **job);
          look->ended = state::IsEnded((*job)->state);
        } else {
          look->status = job.status();
        }
        return [self, look] {
          const absl::Status queued = self->parts_.work.Run([self, look] {
            if (look->status.ok()) self->calls_.AddMetrics(look->response.mutable_job());
            self->Tell(std::move(*look));
          });
          if (!queued.ok()) self->Tell({.status = queued, .response = {}, .ended = false});
        };
      });
  if (!posted.ok()) Tell({.status = posted, .response = {}, .ended = false});
}

void JobFollower::Tell(Look look) {
  bool again = false;
  Pulled<v1::WatchJobResponse> waiting;
  std::optional<v1::WatchJobResponse> message;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    if (look.status.ok() && job_.empty()) {
      // From now on this very job, even when a newer one takes its name.
      job_ = look.response.job().id();
      again = true;
    }
  }
  if (again) {
    const absl::Status watched =
        Watch(look.response.job().id(), WatchHub::Pace::kJob, shared_from_this());
    if (!watched.ok()) look.status = watched;
  }
  {
    std::lock_guard<std::mutex> lock(mutex_);
    looking_ = false;
    if (look.status.ok()) {
      std::string bytes = look.response.SerializeAsString();
      const bool news = bytes != last_;
      last_ = std::move(bytes);
      if (!news && !look.ended) return;  // the pull goes on waiting
      over_ = look.ended;
      look.response.set_server_unix_ms(parts_.clock.UnixMillis());
      message = std::move(look.response);
    } else {
      over_ = true;
    }
    waiting = std::exchange(waiting_, nullptr);
  }
  if (waiting) waiting(std::move(message), look.status);
}

void BytesFollower::Pull(Pulled<v1::ReadStreamsResponse> done) {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    waiting_ = std::move(done);
    reading_ = true;
  }
  if (reader_ == nullptr) {
    Find();
  } else {
    ReadOn();
  }
}

void BytesFollower::Poke() {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    due_ = true;
    if (reading_ || !waiting_ || stopped_) return;
    reading_ = true;
  }
  ReadOn();
}

void BytesFollower::Find() {
  if (request_.kind() != v1::LOG && request_.kind() != v1::METRICS) {
    Tell(std::nullopt, absl::InvalidArgumentError("kind: must be LOG or METRICS"));
    return;
  }
  const auto self = shared_from_this();
  const absl::Status posted =
      parts_.driver.Read(Driver::Source::kClient, [self](const Seen& seen) -> Release {
        const auto job =
            seen.index.Find(self->request_.job(), SubmitterFromWire(self->request_.submitter()));
        if (!job.ok()) {
          return [self, status = job.status()] { self->Tell(std::nullopt, status); };
        }
        return [self, id = (*job)->id] {
          self->job_ = id;
          self->reader_ = std::make_unique<StreamReader>(
              self->parts_.journal, self->parts_.stream_ends, id, self->request_);
          const absl::Status watched = self->request_.follow()
                                           ? self->Watch(id, WatchHub::Pace::kBytes, self)
                                           : absl::OkStatus();
          if (watched.ok()) {
            self->ReadOn();
          } else {
            self->Tell(std::nullopt, watched);
          }
        };
      });
  if (!posted.ok()) Tell(std::nullopt, posted);
}

// Files are read on the work queue.
void BytesFollower::ReadOn() {
  const absl::Status queued = parts_.work.Run([self = shared_from_this()] { self->ReadNow(); });
  if (!queued.ok()) Tell(std::nullopt, queued);
}

void BytesFollower::ReadNow() {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    due_ = false;
  }
  auto piece = reader_->Next();
  if (!piece.ok()) {
    Tell(std::nullopt, piece.status());
  } else if (piece->has_value()) {
    Tell(std::move(*piece), absl::OkStatus());
  } else if (!request_.follow()) {
    Tell(std::nullopt, absl::OkStatus());
  } else {
    AskWhetherOver();
  }
}

void BytesFollower::AskWhetherOver() {
  const auto self = shared_from_this();
  const absl::Status posted =
      parts_.driver.Read(Driver::Source::kClient, [self](const Seen& seen) -> Release {
        const auto it = seen.core.state().jobs.find(self->job_);
        const bool there = it != seen.core.state().jobs.end();
        return [self,
                job = there ? JobStreamsOf(it->second) : JobStreams{.ended = true, .tasks = {}}] {
          if (self->reader_->Complete(job, self->parts_.clock.MonotonicMillis())) {
            self->Tell(std::nullopt, absl::OkStatus());
            return;
          }
          bool again = false;
          {
            std::lock_guard<std::mutex> lock(self->mutex_);
            again = self->due_;
            self->reading_ = again;
          }
          if (again) self->ReadOn();
        };
      });
  if (!posted.ok()) Tell(std::nullopt, posted);
}

void BytesFollower::Tell(std::optional<v1::ReadStreamsResponse> message, const absl::Status& end) {
  Pulled<v1::ReadStreamsResponse> waiting;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    reading_ = false;
    waiting = std::exchange(waiting_, nullptr);
  }
  if (waiting) waiting(std::move(message), end);
}

}  // namespace baton::edge
