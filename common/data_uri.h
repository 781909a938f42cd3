// How a job says where its data are: NAME: URI. Pure.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace baton {

enum class DataKind {
  kPath,     // of the machine that submits, which uploads it
  kNode,     // file:///PATH, of the node
  kWeb,      // http:// or https://, fetched by the node
  kS3,       // s3://BUCKET/KEY; a KEY that ends with '/', or none: all below it
  kPushed,   // data:NAME, pushed before
  kUnknown,  // of another scheme
};

DataKind DataKindOf(absl::string_view uri);

// [A-Za-z0-9][A-Za-z0-9._-]{0,62}: of a data set, and of what a program finds below
// BATON_DATA_DIR. Never "." or "..".
bool IsDataName(absl::string_view name);

// What is wrong with the URI, in words that follow its field's name; OK for all kinds but kUnknown.
absl::Status CheckDataUri(absl::string_view uri);

// NAME of data:NAME.
std::string PushedName(absl::string_view uri);

// The manifest's only file, where a data set is a file and no folder.
inline constexpr char kDataFile[] = ".baton.file";

}  // namespace baton
