#include "worker/core/notice_board.h"

#include <algorithm>

#include "absl/strings/match.h"

namespace baton::worker {

bool IsGraver(const Notice& a, const Notice& b) {
  if (a.certain != b.certain) return a.certain;
  return a.deadline_ms < b.deadline_ms;
}

std::vector<Event> NoticeBoard::Changes() {
  const Notice* gravest = nullptr;
  for (const auto& [name, notice] : open_) {
    if (gravest == nullptr || IsGraver(notice, *gravest)) gravest = &notice;
  }
  if (gravest != nullptr) {
    if (told_ == *gravest) return {};
    told_ = *gravest;
    return {Noticed{*gravest}};
  }
  if (!told_.has_value()) return {};
  Notice withdrawn = *std::exchange(told_, std::nullopt);
  withdrawn.withdrawn = true;
  return {Noticed{withdrawn}};
}

std::vector<Event> NoticeBoard::Set(const std::string& name, const std::optional<Notice>& notice) {
  if (!notice.has_value()) {
    open_.erase(name);
    return Changes();
  }
  const auto [at, is_new] = open_.try_emplace(name, *notice);
  const int64_t noticed_ms = at->second.noticed_ms;
  Notice& open = at->second;
  if (!is_new) open = *notice;
  open.noticed_ms = noticed_ms;
  if (least_ms_ > 0 && open.certain) {
    open.deadline_ms = std::max(open.deadline_ms, noticed_ms + least_ms_);
  }
  return Changes();
}

std::vector<Event> NoticeBoard::Keep(const std::string& prefix,
                                     const std::vector<std::string>& names) {
  std::erase_if(open_, [&](const auto& entry) {
    return absl::StartsWith(entry.first, prefix) &&
           std::find(names.begin(), names.end(), entry.first) == names.end();
  });
  return Changes();
}

}  // namespace baton::worker
