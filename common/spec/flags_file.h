// flags.yml, as cloudml and R's tfruns have it, and which flags a script declares. Pure.
//
//   default: {dropout: 0.4, epochs: 5}    or, without sections,    dropout: 0.4
//   cloudml: {data_dir: /srv/data}                                 epochs: 5
//   baton: {epochs: 20}
#pragma once

#include <set>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "common/spec/setting.h"

namespace baton::spec {

struct FlagsFile {
  // Weak settings of params: of the section `baton`, then `cloudml`, then `default`, so that the
  // first one that has a flag wins. Mistakes of the file are refusals among them.
  std::vector<Setting> settings;
  std::set<std::string> declared;  // flags of these sections
};

// `file` is its name in messages. Sections of other contexts are passed over.
FlagsFile ReadFlagsFile(absl::string_view text, const std::string& file);

// Flags that a script declares: flag_numeric("dropout", ..) of R, "--dropout" of Python's
// argparse, click and others. Names with - and _ are one.
std::set<std::string> DeclaredFlags(absl::string_view script);

// Those of `flags` that are not declared, neither there nor in the script, whose words are asked
// too: one that names the flag anywhere may read it. None when nothing is declared at all.
std::vector<std::string> UndeclaredFlags(const std::vector<std::string>& flags,
                                         const std::set<std::string>& declared,
                                         absl::string_view script);

}  // namespace baton::spec
