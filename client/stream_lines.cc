#include "client/stream_lines.h"

namespace baton::client {

StreamLines::StreamLines(LineSeen seen) : seen_(std::move(seen)) {}

StreamLines::~StreamLines() {
  for (const auto& [stream, rest] : rests_) {
    if (!rest.empty()) seen_(stream.first, stream.second, rest);
  }
}

void StreamLines::Add(const v1::ReadStreamsResponse& piece) {
  std::string& rest = rests_[{piece.attempt(), piece.rank()}];
  size_t from = rest.size();
  rest += piece.data();
  size_t begin = 0;
  for (size_t end; (end = rest.find('\n', from)) != std::string::npos; from = begin = end + 1) {
    seen_(piece.attempt(), piece.rank(), rest.substr(begin, end - begin));
  }
  rest.erase(0, begin);
}

}  // namespace baton::client
