// A field that something other than the spec's file sets: a flag of the command line, an #SBATCH
// line of a script, a default of flags.yml. Pure.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "common/spec/tree.h"

namespace baton::spec {

struct Setting {
  std::string source;  // its name in messages: "--gpus a100:2", or the file "run.sh"
  int line = 0;        // in that file; 0: none
  std::vector<std::string> path = {};  // from the top of the spec: {"resources", "gpus"}
  Value value = {};                    // takes the source's place
  bool weak = false;                   // only where the file says nothing, nor a setting before it
  std::string refusal = {};            // not empty: a mistake with these words, and nothing is set
};

// A word as YAML reads it, and one that is a text whatever it looks like.
Value PlainValue(const std::string& text);
Value TextValue(const std::string& text);
// YAML where it is some, else the text as it stands: nobody quotes on a command line.
Value YamlValue(const std::string& text);
Value ListValue(const std::vector<std::string>& words);  // of texts

// `flag` with its value, "--cpus" and "2".
Setting FlagSetting(const std::string& flag, const std::string& value,
                    std::vector<std::string> path);

// An entry of the map `field` from a flag with NAME=VALUE, "--env" and "K=v". The value is YAML for
// `params` and a text for all others; without a name, the setting is a refusal.
Setting MapSetting(const std::string& flag, const std::string& text, const std::string& field);

// Gives the value and all in it one place.
void SetPlace(Value* value, Place place);

}  // namespace baton::spec
