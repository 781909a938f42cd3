// What the checks of all formats share; inside of this folder only.
#pragma once

#include <optional>
#include <string>

#include "common/spec/files.h"

namespace baton::spec {

class DataCheck {
 public:
  DataCheck(const FindFile& find, DataFiles* kept, Reading* reading)
      : find_(find), kept_(kept), reading_(*reading) {}

  const Model& model() const { return reading_.spec.native->model; }
  const Data& data() const { return reading_.spec.native->data; }
  DataFiles* kept() const { return kept_; }  // null: nothing is

  // Notes a mistake at the field, wherever it was written. `part` is what the place of a file in
  // its long form is: a map with `uri`.
  void Add(const std::string& field, std::string message, const char* part = ".uri");

  // Nothing: its name is a mistake of the text, or it was told, or is left to others.
  using Kind = NamedFile::Kind;
  std::optional<std::string> Find(const std::string& field, FileSource* source,
                                  Kind kind = Kind::kFile);

  // What the model's output is held against; nothing where its shapes are not known.
  struct Target {
    bool labels = false;  // class numbers, else values
    int64_t count = 0;    // of one sample
    Shape output;         // of the last layer
  };
  std::optional<Target> target() const;

  // Ids that the embeddings which take the input have: the fewest; 0 when none takes it.
  int64_t VocabularyOf(const std::string& input) const;

  // "model.input", "model.inputs.NAME".
  static std::string FieldOf(const ModelInput& input);

 private:
  const FindFile& find_;
  DataFiles* const kept_;
  Reading& reading_;
};

void CheckImages(DataCheck& check, IdxData& data);
void CheckTables(DataCheck& check, CsvData& data);
void CheckArrays(DataCheck& check, NpyData& data);
void CheckFolders(DataCheck& check, FolderData& data);
void CheckTexts(DataCheck& check, TextData& data);
void CheckSkipGram(DataCheck& check, SkipGramData& data);

}  // namespace baton::spec
