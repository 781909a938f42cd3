// A job as its person wrote it, with all defaults filled in. Plain values; parse.h makes them from
// YAML and write.h turns them back into canonical YAML.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "common/spec/model.h"
#include "common/spec/optimizer.h"
#include "common/text/characters.h"

namespace baton::spec {

// World sizes that the job accepts, both ends included; 1 <= min <= max.
struct RanksRange {
  int64_t min = 1;
  int64_t max = 1;
};

// What one rank needs. Zero means: no demand.
struct Resources {
  int64_t cpu_millis = 1000;  // thousandths of a CPU
  int64_t memory_bytes = 0;
  int64_t disk_bytes = 0;
  int64_t gpus = 0;
  std::string gpu_type;          // e.g. "a100"; empty: any
  int64_t gpu_memory_bytes = 0;  // at least so much on each GPU
};

enum class Capacity { kAuto, kSpot, kOnDemand };

// When the trainer saves. Both intervals zero: it chooses one from the measured cost of a save.
struct CheckpointPolicy {
  enum class From { kAny, kRank0 };
  int64_t every_steps = 0;
  int64_t every_ms = 0;
  // With neither of them the trainer chooses by cost and hazard, within these.
  int64_t at_least_ms = 2'000;
  int64_t at_most_ms = 600'000;
  int64_t keep = 3;  // newest checkpoints that are kept; the best and the one in use are extra
  From from = From::kAny;
};

// kRank: a process for each rank. kNode: one for each node, which starts the others itself
// (torchrun, mpirun); a rank of the job is then a node.
enum class Launch { kRank, kNode };

// What a program runs in.
struct Environment {
  std::vector<std::string> setup;  // shell commands before the program, once per content
  std::string use;                 // conda:NAME or venv:PATH of the node; empty: what the files say
  std::string image;               // of a container; empty: none
};

// Files that a program finds at BATON_DATA_DIR/name.
struct DataSet {
  std::string name;
  std::string uri;  // a path, file:// of the node, http(s)://, s3://, or data:NAME (pushed before)
  std::string sha256;  // of a fetched file; empty: whatever comes
};

// A metric read from what the program prints: group 1 of the match.
struct MetricPattern {
  std::string name;
  std::string pattern;  // RE2
};

// What tells a program that catches it that its node goes away.
enum class NoticeSignal { kTerm, kUsr1, kNone };

// A file that the spec names. `uri` is a path relative to the spec file, an absolute path (both
// are packed and uploaded by the client), or file:///path (read on the node, never uploaded).
struct FileSource {
  std::string uri;
  std::string sha256;  // 64 lower-case hexadecimal characters of the file as it lies, or empty
  std::string member;  // NPY: the array in an .npz file, written FILE.npz:member; or empty
};

// Samples and their labels in one pair of files.
struct ImageFiles {
  FileSource images;
  FileSource labels;
};

// IDX files, plain or gzip (yann.lecun.com/exdb/mnist).
struct IdxData {
  ImageFiles train;
  std::optional<ImageFiles> test;  // none: no evaluation
};

// What is taken for the test from the training's own samples, where no test is named: this share,
// rounded down, the rest is trained on. 0: nothing.
struct TestPart {
  double fraction = 0;
  bool last = false;  // the last samples of the file, else drawn by the job's seed
};

// What one input of the model is fed with; `name` is kModelInput where it has only one.
struct InputColumns {
  std::string name;
  std::vector<std::string> columns;
};

// Rows of a table: CSV, plain or gzip. Columns are named as in the first line, or from "1" on.
struct CsvData {
  // A row with a missing number (common/table/columns.h) ..
  enum class Missing {
    kError,
    kSkip,  // .. is left out
    kMean,  // .. has the mean of the training's rows there
  };
  // What becomes of the numbers, column by column, by what the training's rows hold. Targets of
  // squared and absolute error are scaled too; ids, labels and one_hot columns never are.
  enum class Scale {
    kNone,
    kStandard,  // less the mean, divided by the standard deviation (of n)
    kMinMax,    // to 0 .. 1
  };
  FileSource train;
  std::optional<FileSource> test;
  TestPart test_part;
  bool header = true;
  char delimiter = ',';
  std::vector<std::string> target;
  // The model gives back what it was given (an autoencoder), and there is no target. `anomaly` is
  // a column of 0 and 1: a sample with a 1 is not trained on, and the test tells how well the
  // model's error sets such samples apart. Empty: nothing is known of them.
  bool reconstruct = false;
  std::string anomaly;
  std::vector<InputColumns> inputs;  // empty: all columns but the target, into the one input
  // Columns of texts: a 0 or 1 for each category that the training has, or the category's number
  // among all in their order. An unknown one is all zeros, or a mistake.
  std::vector<std::string> one_hot;
  std::vector<std::string> index;
  Missing missing = Missing::kError;
  Scale scale = Scale::kNone;
  // A series in the order of the rows: a sample is `steps` rows, its target the `horizon` rows
  // after them. The columns' default is then the target itself. 0: each row is a sample.
  int64_t window_steps = 0;
  int64_t window_horizon = 1;
};

// Arrays as numpy saves them; the first extent counts samples.
struct ArrayFiles {
  std::vector<std::pair<std::string, FileSource>> inputs;  // by the model's name of it
  FileSource target;
};

struct NpyData {
  ArrayFiles train;
  std::optional<ArrayFiles> test;
  TestPart test_part;
};

// How the pictures of the training are changed, each time anew; the names are those of
// torchvision's transforms. All are drawn evenly.
struct Augment {
  // A part of the picture (RandomResizedCrop) in the place of all of it: its share of the area, and
  // its width by its height.
  struct Crop {
    double scale_min = 0.08;
    double scale_max = 1;
    double ratio_min = 3.0 / 4;
    double ratio_max = 4.0 / 3;
  };
  enum class Flip { kNone, kHorizontal, kVertical, kBoth };
  Flip flip = Flip::kNone;  // of every second
  std::optional<Crop> crop;
  double rotate = 0;  // up to so many degrees to either side; what comes in repeats the edge
  // In this order; a factor of 1 - x, at least 0, to 1 + x.
  double brightness = 0;
  double contrast = 0;    // around the picture's mean
  double saturation = 0;  // of coloured pictures

  bool any() const {
    return flip != Flip::kNone || crop.has_value() || rotate > 0 || brightness > 0 ||
           contrast > 0 || saturation > 0;
  }
};

// JPEG and PNG pictures, a subfolder for each class (common/image/folder.h). A value of a sample is
// (byte / model.divide_by - mean) / std.
struct FolderData {
  // Of colours, in the model's input; some of Keras' weights want the other way round.
  enum class ChannelOrder { kRgb, kBgr };
  enum class Damaged {
    kError,  // is a mistake
    kSkip,   // is left out
  };
  FileSource train;  // folders; their digest: common/image/read_folder.h
  std::optional<FileSource> test;
  TestPart test_part;
  // The short side before the centre is cut out; 0: the picture is resized to the model's input.
  int64_t resize = 0;
  ChannelOrder channel_order = ChannelOrder::kRgb;
  std::vector<double> mean;  // by channel in that order, or one for all; empty: 0
  std::vector<double> std;   // likewise; empty: 1
  Damaged damaged = Damaged::kError;
  Augment augment;
  int64_t cache_bytes = int64_t{1} << 30;  // of memory for pictures, and for bottlenecks
  // What the frozen beginning of the model makes of each picture is computed once, where that does
  // not change what is trained.
  bool bottlenecks = true;
};

// Text, plain or gzip: the model is given some characters in a row, as many as its input has
// positions, and is held against the character after each of them, or after the last, as its output
// has it.
struct TextData {
  FileSource train;
  std::optional<FileSource> test;
  TestPart test_part;  // always the last
  text::Unit unit = text::Unit::kCharacters;
};

// A text, plain or gzip, a sentence a line. A sample is a word, one word near it and `negatives`
// drawn ones, for a model with the inputs `word` and `context` (trainer/data/skip_gram.h).
struct SkipGramData {
  FileSource train;
  std::optional<FileSource> pairs;  // judged pairs of words, the test (common/text/pairs.h)
  int64_t min_count = 5;            // words that are rarer are left out
  int64_t window = 5;               // words to each side that may be near
  int64_t negatives = 5;
  double subsample = 1e-3;     // the share of the text from which on words are thinned; 0: none is
  int64_t pairs_per_word = 6;  // samples of each place in an epoch; default: window + 1
};

inline constexpr char kWordInput[] = "word";
inline constexpr char kContextInput[] = "context";

struct Data {
  std::variant<IdxData, CsvData, NpyData, TextData, SkipGramData, FolderData> source;
  int64_t classes = 0;  // labels are 0..classes-1; the width of the last layer. 0: no labels
};

// Weights to begin with, in place of drawn ones: any file of weights::WeightsFile.
struct GivenWeights {
  FileSource file;
  std::vector<std::string> skip;  // layers that begin as they are drawn: "fc", or "layer4" for all
                                  // of layer4.*
};

// Ends a training when its test loss has not become smaller by more than `min_delta` in `patience`
// tests in a row. The model is then the best that was tested.
struct EarlyStopping {
  int64_t patience = 5;
  double min_delta = 0;
};

// What a job with `model:` has beside what every job has.
struct NativeSpec {
  int64_t shards = 1;  // logical shards: ranks.max <= shards <= batch_size
  int64_t epochs = 1;
  int64_t batch_size = 0;  // of the whole gang
  bool shuffle = true;     // a new order each epoch, from the seed
  Data data;
  Model model;
  std::optional<GivenWeights> weights;
  Optimizer optimizer;
  // The best instruction set that CPUs compute with, one of CpuIsas(): the bits depend on it, so
  // unlike CPUs agree by it. "any": each its own best.
  std::string cpu_isa = "any";
  // Of a card: those that give the same bits each time, or any, and TF32, which is faster. A CPU
  // has only the former.
  bool fast_algorithms = false;
  int64_t log_every_steps = 10;
  int64_t evaluate_every_epochs = 1;  // 0: at the end only
  std::optional<EarlyStopping> early_stopping;
};

// "any", then the words of oneDNN from the least on.
inline const std::vector<std::string>& CpuIsas() {
  static const std::vector<std::string> isas = {"any", "sse41", "avx", "avx2", "avx512_core"};
  return isas;
}

struct JobSpec {
  std::string name;  // [A-Za-z0-9][A-Za-z0-9._-]*, at most 63; default: the file's name
  uint64_t seed = 1;
  RanksRange ranks;
  Resources resources;
  std::vector<Resources> any_of;  // in the place of `resources`, best first; empty: no others
  Capacity capacity = Capacity::kAuto;
  int64_t retries = 3;
  int64_t priority = 50;  // 0..100, higher first
  std::string project = "default";
  int64_t time_limit_ms = 0;  // of all attempts together; 0: none
  std::map<std::string, std::string> env;
  CheckpointPolicy checkpoint;
  std::map<std::string, std::string> require;  // labels that a node must have
  std::string params_json = "{}";   // a JSON object: what the task finds in BATON_PARAMS_FILE
  bool flags_as_arguments = false;  // params also follow the command's words (ProgramWords)
  bool slurm = false;               // the task finds SLURM_* variables

  // `entry:` as the file has it, from which `command` follows; empty: it gives the command.
  std::string entry;

  // Of a user's program. Its files that are checkpoints, as patterns (common/glob.h) in its working
  // folder.
  std::vector<std::string> checkpoint_globs;
  NoticeSignal notice_signal = NoticeSignal::kTerm;
  Launch launch = Launch::kRank;
  int64_t ranks_per_node = 0;  // from `nodes`; 0: any number
  Environment environment;
  std::vector<DataSet> data;
  std::vector<MetricPattern> metrics;
  std::vector<std::string> secrets;  // variables whose values travel apart from the spec

  // Exactly one of the two: argv of a user's program, or a native job.
  std::vector<std::string> command;
  std::optional<NativeSpec> native;
};

}  // namespace baton::spec
