// What the metadata services of AWS, GCP and Azure answer, as their manuals say it. Pure.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace baton::client::chaos {

enum class Cloud : uint8_t { kAws, kGcp, kAzure };

// As --metadata-url has it.
std::string NameOf(Cloud cloud);

// What the service has to say of its machine.
struct Instance {
  int64_t end_unix_ms = 0;        // it is to end then; 0: it is not
  int64_t rebalance_unix_ms = 0;  // AWS: its risk has risen since then; 0: it has not
  int64_t version = 1;            // rises with each change: GCP's ETag, Azure's incarnation
  int64_t token = 0;              // AWS: of the tokens handed out only the newest is good
};

struct Request {
  std::string method;
  std::string path;
  std::map<std::string, std::string> headers;  // names in lower case
  std::map<std::string, std::string> query;
};

struct Answer {
  int code = 404;
  std::string body;
  std::map<std::string, std::string> headers;
};

// A PUT of AWS' token changes the instance.
Answer AnswerOf(Cloud cloud, const Request& request, Instance* instance);

// GCP: the request asks to be answered only after a change, up to so many seconds; 0: at once.
int64_t WaitsSeconds(Cloud cloud, const Request& request, const Instance& instance);

}  // namespace baton::client::chaos
