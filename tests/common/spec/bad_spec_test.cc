// Each mistake a person can make, and the exact words that tell them.
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "common/spec/parse.h"
#include "common/spec/text.h"
#include "tests/common/spec/sample.h"

namespace baton::spec {
namespace {

struct Case {
  const char* what;
  std::string text;
  std::string mistakes;
};

class BadSpec : public testing::TestWithParam<Case> {};

TEST_P(BadSpec, IsToldByLineAndField) {
  EXPECT_EQ(MistakesOf(GetParam().text), GetParam().mistakes);
}

INSTANTIATE_TEST_SUITE_P(
    Fields, BadSpec,
    testing::Values(
        Case{"unknown_field", Spoilt("epochs:", "epoch: 1\nepochs:"),
             "s.yaml:3: epoch: unknown field; did you mean epochs?"},
        Case{"unknown_nested_field", Spoilt("  momentum", "  momentun"),
             "s.yaml:21: optimizer.momentun: unknown field; did you mean momentum?"},
        Case{"wrong_type", Spoilt("epochs: 2", "epochs: two"),
             "s.yaml:3: epochs: must be a whole number, is 'two'"},
        Case{"fraction", Spoilt("epochs: 2", "epochs: 2.5"),
             "s.yaml:3: epochs: must be a whole number, is '2.5'"},
        Case{"quoted_number", Spoilt("epochs: 2", "epochs: '2'"),
             "s.yaml:3: epochs: must be a whole number, is '2' in quotes"},
        Case{"zero_epochs", Spoilt("epochs: 2", "epochs: 0"),
             "s.yaml:3: epochs: must be at least 1, is 0"},
        Case{"overflow", Spoilt("epochs: 2", "epochs: 99999999999999999999"),
             "s.yaml:3: epochs: must be between 1 and 1000000, is 99999999999999999999"},
        Case{"no_value", Spoilt("epochs: 2", "epochs:"),
             "s.yaml:3: epochs: must be a whole number, is nothing"},
        Case{"zero_ranks", Spoilt("1..4", "0"), "s.yaml:2: ranks: must be at least 1, is 0"},
        Case{"zero_ranks_in_range", Spoilt("1..4", "0..4"),
             "s.yaml:2: ranks: must be at least 1, is 0..4"},
        Case{"empty_range", Spoilt("1..4", "4..1"),
             "s.yaml:2: ranks: the range 4..1 is empty; write 1..4"},
        Case{"no_range", Spoilt("1..4", "1-4"),
             "s.yaml:2: ranks: must be a whole number or a range such as 1..4"},
        Case{"nan", Spoilt("0.05", ".nan"),
             "s.yaml:20: optimizer.lr: must be a finite number, is '.nan'"},
        Case{"inf", Spoilt("0.05", "inf"),
             "s.yaml:20: optimizer.lr: must be a finite number, is 'inf'"},
        Case{"too_large_number", Spoilt("0.05", "1e999"),
             "s.yaml:20: optimizer.lr: must be a finite number, is '1e999'"},
        Case{"zero_lr", Spoilt("0.05", "0"), "s.yaml:20: optimizer.lr: must be more than 0, is 0"},
        Case{"momentum_of_one", Spoilt("momentum: 0.9", "momentum: 1"),
             "s.yaml:21: optimizer.momentum: must be less than 1, is 1"},
        Case{"unknown_optimizer", Spoilt("name: sgd", "name: lamb"),
             "s.yaml:19: optimizer.name: unknown value 'lamb'; use sgd, adam, adamw or rmsprop"},
        Case{"foreign_field", Spoilt("name: sgd", "name: adam"),
             "s.yaml:21: optimizer.momentum: only sgd and rmsprop have it, and this is adam; "
             "remove it"},
        Case{"foreign_schedule_field", Spoilt("name: step", "name: cosine"),
             "s.yaml:22: optimizer.schedule.every_epochs: only step has it, and this is cosine; "
             "remove it\n"
             "s.yaml:22: optimizer.schedule.factor: only step has it, and this is cosine; remove "
             "it"},
        Case{"yes_for_true", Spoilt("epochs:", "shuffle: yes\nepochs:"),
             "s.yaml:3: shuffle: must be true or false, is 'yes'"},
        Case{"negative_seed", Spoilt("epochs:", "seed: -1\nepochs:"),
             "s.yaml:3: seed: must be a whole number from 0, is '-1'"},
        Case{"seed_too_large", Spoilt("epochs:", "seed: 18446744073709551616\nepochs:"),
             "s.yaml:3: seed: must be at most 18446744073709551615, is 18446744073709551616"},
        Case{"bad_name", Spoilt("name: small", "name: a b"),
             "s.yaml:1: name: 'a b' is no name; use letters, digits, '.', '_' and '-', a letter or "
             "digit first, at most 63"},
        Case{"latest", Spoilt("name: small", "name: latest"),
             "s.yaml:1: name: 'latest' means the newest job everywhere; choose another name"},
        Case{"given_twice", Spoilt("epochs: 2", "epochs: 2\nepochs: 3"),
             "s.yaml:4: epochs: given twice, first in line 3; remove one"},
        Case{"checkpoint_from_all", Spoilt("epochs:", "checkpoint: {from: all}\nepochs:"),
             "s.yaml:3: checkpoint.from: 'all' (a checkpoint of node parts) comes later; use any "
             "or rank0"},
        Case{"checkpoints_of_the_trainer", Spoilt("epochs:", "checkpoints: a.pt\nepochs:"),
             "s.yaml:3: checkpoints: only a job with `command` has it, Baton's own trainer saves "
             "by itself; remove it"},
        Case{"two_intervals",
             Spoilt("epochs:", "checkpoint: {every_steps: 5, every_s: 1}\nepochs:"),
             "s.yaml:3: checkpoint.every_s: given beside every_steps; remove one"},
        Case{"two_ways_to_say_when",
             Spoilt("epochs:", "checkpoint: {every: auto, every_s: 1}\nepochs:"),
             "s.yaml:3: checkpoint.every: given beside every_steps or every_s; remove one"},
        Case{
            "a_floor_of_nothing",
            Spoilt("epochs:", "checkpoint: {every: 2m, at_least: 1s}\nepochs:"),
            "s.yaml:3: checkpoint.at_least: is for `every: auto`; the interval is given, so remove "
            "one of both"},
        Case{"a_floor_above_the_ceiling",
             Spoilt("epochs:", "checkpoint: {at_least: 2m, at_most: 1m}\nepochs:"),
             "s.yaml:3: checkpoint.at_least: is longer than at_most"},
        Case{"no_interval", Spoilt("epochs:", "checkpoint: {every: often}\nepochs:"),
             "s.yaml:3: checkpoint.every: must be a duration such as 90s or 1h30m, is 'often'"},
        Case{"map_expected", Spoilt("epochs:", "resources: 4\nepochs:"),
             "s.yaml:3: resources: must be a map with cpus, memory, disk, gpus, gpu_type, "
             "gpu_memory, is '4'"},
        Case{"gpu_type_alone", Spoilt("epochs:", "resources: {gpu_type: a100}\nepochs:"),
             "s.yaml:3: resources.gpu_type: says what GPUs but `gpus` is 0; add e.g. `gpus: 1`"},
        Case{
            "more_than_any_scheduler_takes",
            Spoilt("epochs:",
                   "resources: {cpus: 5000, memory: 2000TiB, gpus: 9000, gpu_type: h100}\nepochs:"),
            "s.yaml:3: resources.cpus: must be at most 4096, is 5000\n"
            "s.yaml:3: resources.memory: must be at most 1024TiB, is '2000TiB'\n"
            "s.yaml:3: resources.gpus: must be at most 64, is 9000"},
        Case{"no_cpus", Spoilt("epochs:", "resources: {cpus: 0}\nepochs:"),
             "s.yaml:3: resources.cpus: must be at least 0.001, is 0"},
        Case{"long_gpu_type",
             Spoilt("epochs:",
                    "resources: {gpus: 1, gpu_type: " + std::string(129, 'x') + "}\nepochs:"),
             "s.yaml:3: resources.gpu_type: must have at most 128 bytes; write it as `baton nodes` "
             "shows it, e.g. h100"},
        Case{"too_many_ranks", Spoilt("1..4", "1..5000"),
             "s.yaml:2: ranks: must be at most 4096, is 1..5000"},
        Case{"far_too_many_ranks", Spoilt("1..4", "99999999999999999999"),
             "s.yaml:2: ranks: must be at most 4096, is 99999999999999999999"},
        Case{"time_limit_of_a_life", Spoilt("epochs:", "time_limit: 9999d\nepochs:"),
             "s.yaml:3: time_limit: must be at most 3660d, is '9999d'"},
        Case{
            "launch_by_the_command", Spoilt("epochs:", "launch: node\nepochs:"),
            "s.yaml:3: launch: 'node' is for a `command` that starts the ranks of its node itself; "
            "Baton's own trainer has `launch: rank`, remove the line"},
        Case{"long_variable", Spoilt("epochs:", "env: {" + std::string(129, 'A') + ": 1}\nepochs:"),
             "s.yaml:3: env." + std::string(129, 'A') +
                 ": a name of 129 bytes, at most 128; shorten it"},
        Case{"a_number_that_fills_the_screen",
             Spoilt("epochs: 2", "epochs: " + std::string(500, '9')),
             "s.yaml:3: epochs: must be between 1 and 1000000, is " + std::string(40, '9') + "..."},
        Case{"bad_size", Spoilt("epochs:", "resources: {memory: 4 gigs}\nepochs:"),
             "s.yaml:3: resources.memory: must be a size such as 512MiB or 1.5GB, is '4 gigs'"},
        Case{"bad_duration", Spoilt("epochs:", "time_limit: soon\nepochs:"),
             "s.yaml:3: time_limit: must be a duration such as 90s or 1h30m, is 'soon'"},
        Case{"reserved_variable", Spoilt("epochs:", "env: {BATON_RANK: 1}\nepochs:"),
             "s.yaml:3: env.BATON_RANK: names that start with BATON_ are Baton's; rename it"},
        Case{"scheme", Spoilt("a.gz", "s3://b/a.gz"),
             "s.yaml:7: data.train.images.uri: 's3://' can't be read; use a path, or file:///path "
             "for a file that lies on the nodes"},
        Case{"short_digest", Spoilt("images: a.gz", "images: {uri: a.gz, sha256: 12ab}"),
             "s.yaml:7: data.train.images.sha256: must be 64 characters of 0-9 and a-f; "
             "`sha256sum FILE` prints them"},
        Case{"missing_labels", Spoilt(", labels: b.gz", ""),
             "s.yaml:7: data.train.labels: missing; add e.g. `labels: "
             "train-labels-idx1-ubyte.gz`"},
        Case{"more_ranks_than_shards", Spoilt("epochs:", "shards: 3\nepochs:"),
             "s.yaml:2: ranks: up to 4 ranks but 3 shards; use fewer ranks, or set `shards` to 4 "
             "or more (other shards, other weights)"},
        Case{"batch_below_shards", Spoilt("batch_size: 64", "batch_size: 3"),
             "s.yaml:4: batch_size: a batch of 3 can't fill 4 shards, the default that follows "
             "from the file's own ranks; make it larger or use fewer shards"}),
    [](const auto& c) { return c.param.what; });

INSTANTIATE_TEST_SUITE_P(
    Layers, BadSpec,
    testing::Values(
        Case{"unknown_layer", Spoilt("- relu", "- rellu"),
             "s.yaml:15: model.layers.2: unknown layer 'rellu'; did you mean relu?"},
        Case{"unknown_layer_map", Spoilt("- max_pool:", "- min_pool:"),
             "s.yaml:14: model.layers.1.min_pool: unknown field; did you mean max_pool?"},
        Case{"unknown_layer_field", Spoilt("kernel: 5", "kernel: 5, group: 2"),
             "s.yaml:13: model.layers.0.conv.group: unknown field; did you mean groups?"},
        Case{"missing_kernel", Spoilt("{out: 6, kernel: 5}", "{out: 6}"),
             "s.yaml:13: model.layers.0.conv.kernel: missing; add e.g. `kernel: 5`"},
        Case{"no_arguments", Spoilt("- conv: {out: 6, kernel: 5}", "- conv"),
             "s.yaml:13: model.layers.0.conv.out: missing; add e.g. `out: 6`\n"
             "s.yaml:13: model.layers.0.conv.kernel: missing; add e.g. `kernel: 5`"},
        Case{"two_layers_in_one", Spoilt("    - relu\n", "      relu:\n"),
             "s.yaml:14: model.layers.1: max_pool and relu in one entry; give each its own line "
             "with '-'"},
        Case{"no_layer", Spoilt("- relu", "- {name: r}"),
             "s.yaml:15: model.layers.2: no layer here; add conv, max_pool, avg_pool, global_pool, "
             "batch_norm, layer_norm, relu, leaky_relu, elu, sigmoid, tanh, gelu, silu, flatten, "
             "reshape, dense, dropout, embedding, position, lstm, gru, attention, last, concat, "
             "add, multiply, dot or cosine"},
        Case{"pool_too_large", Spoilt("max_pool: {kernel: 2}", "max_pool: {kernel: 25}"),
             "s.yaml:14: model.layers.1: max_pool1 a kernel of 25 is larger than its input of 24 "
             "with padding 0; make the kernel smaller or pad more"},
        Case{"pool_padding", Spoilt("max_pool: {kernel: 2}", "max_pool: {kernel: 2, padding: 2}"),
             "s.yaml:14: model.layers.1: max_pool1 padding 2 is more than half of the kernel of "
             "2; pad less"},
        Case{"dense_without_flatten", Spoilt("    - flatten\n", ""),
             "s.yaml:16: model.layers.3: dense1 needs a flat input but gets 6 x 12 x 12; put `- "
             "flatten` before it"},
        Case{"conv_after_flatten",
             Spoilt("- relu\n    - flatten",
                    "- flatten\n    - conv: {out: 2, "
                    "kernel: 1}"),
             "s.yaml:16: model.layers.3: conv2 needs channels x height x width but its input is "
             "864; move it before the flatten"},
        Case{"wrong_width", Spoilt("dense: {out: 10}", "dense: {out: 9}"),
             "s.yaml:17: model.layers: the last layer, dense1, gives 9 values but data.classes is "
             "10; make them equal"},
        Case{"one_class",
             Spoilt("  classes: 10\n", "")
                 .replace(Spoilt("  classes: 10\n", "").find("dense: {out: 10}"), 16,
                          "dense: {out: 1}"),
             "s.yaml:16: model.layers: the last layer, dense1, gives one value but "
             "softmax_cross_entropy needs at least two; make it as wide as there are classes"},
        Case{"image_at_the_end", Spoilt("    - flatten\n    - dense: {out: 10}\n", ""),
             "s.yaml:12: model.layers: the last layer gives 6 x 12 x 12 but softmax_cross_entropy "
             "needs one value per class; add `- flatten` and `- dense: {out: 10}`"},
        Case{"too_large",
             Spoilt("dense: {out: 10}",
                    "dense: {out: 1000000}\n    - dense: {out: "
                    "1000000}\n    - dense: {out: 10}"),
             "s.yaml:18: model.layers.5: dense2 a tensor of 1000000 x 1000000 is too large; make "
             "it smaller"},
        Case{"bad_input", Spoilt("[1, 28, 28]", "[1, 2, 28, 28]"),
             "s.yaml:10: model.input: must be [channels, height, width], [positions, features] "
             "or [width], whole numbers from 1 to 1048576, such as [1, 28, 28]"},
        Case{"zero_input", Spoilt("[1, 28, 28]", "[1, 0, 28]"),
             "s.yaml:10: model.input: must be [channels, height, width], [positions, features] "
             "or [width], whole numbers from 1 to 1048576, such as [1, 28, 28]"},
        Case{"no_layers",
             Spoilt("    - conv: {out: 6, kernel: 5}\n    - max_pool: {kernel: 2}\n   "
                    " - relu\n    - flatten\n    - dense: {out: 10}\n",
                    ""),
             "s.yaml:12: model.layers: must be a list of layers, at least one, each behind '-'"},
        Case{
            "unknown_input", Spoilt("- max_pool:", "- inputs: [conv9]\n      max_pool:"),
            "s.yaml:14: model.layers.1.inputs: no layer or input 'conv9' before this one; name one "
            "of those above"},
        Case{"other_graph", Spoilt("- max_pool:", "- inputs: [input]\n      max_pool:"),
             "s.yaml:13: model.layers.0: no layer takes the output of 'conv1'; name it in the "
             "`inputs` of one below, or remove it"},
        Case{"inputs_no_list", Spoilt("- max_pool:", "- inputs: conv1\n      max_pool:"),
             "s.yaml:14: model.layers.1.inputs: must be a list of layer names such as [conv1]"},
        Case{"name_twice",
             Spoilt(
                 "- conv: {out: 6, kernel: 5}\n    - max_pool:",
                 "- {name: conv1, conv: {out: 6, kernel: 5}}\n    - name: conv1\n      max_pool:"),
             "s.yaml:14: model.layers.1.name: a second layer 'conv1'; rename one"},
        Case{"bad_layer_name", Spoilt("- max_pool:", "- name: a-b\n      max_pool:"),
             "s.yaml:14: model.layers.1.name: 'a-b' can't name a layer; use letters, digits, _ and "
             "single dots between them, a letter first, and not 'input' or another input's name"},
        Case{"dots_side_by_side", Spoilt("- max_pool:", "- name: a..0\n      max_pool:"),
             "s.yaml:14: model.layers.1.name: 'a..0' can't name a layer; use letters, digits, _ "
             "and single dots between them, a letter first, and not 'input' or another input's "
             "name"},
        Case{"dot_at_the_end", Spoilt("- max_pool:", "- name: a.\n      max_pool:"),
             "s.yaml:14: model.layers.1.name: 'a.' can't name a layer; use letters, digits, _ "
             "and single dots between them, a letter first, and not 'input' or another input's "
             "name"},
        Case{"tensors_of_one_name",
             Spoilt("- flatten",
                    "- reshape: {to: [12, 72]}\n    - {name: a, attention: {heads: "
                    "2}}\n    - {name: a.out_proj, dense: {out: 4}}\n    - flatten"),
             "s.yaml:18: model.layers.5.name: its a.out_proj.weight would have the name of one of "
             "'a'; rename one of the two"},
        Case{"weights_for_no_layer",
             Spoilt("optimizer:", "weights: {uri: w.pth, skip: [dense2, relu1]}\noptimizer:"),
             "s.yaml:18: weights.skip: no layer with weights is called 'dense2'; did you mean "
             "dense1?\n"
             "s.yaml:18: weights.skip: no layer with weights is called 'relu1'"},
        Case{
            "weights_from_elsewhere",
            Spoilt("optimizer:", "weights: {uri: \"s3://b/w.pth\", skip: dense1}\noptimizer:"),
            "s.yaml:18: weights.uri: 's3://' can't be read; use a path, or file:///path for a file "
            "that lies on the nodes\n"
            "s.yaml:18: weights.skip: must be a list of layers such as [fc]"},
        Case{"dropout_of_one", Spoilt("- relu", "- dropout: 1"),
             "s.yaml:15: model.layers.2.dropout.rate: must be less than 1, is 1"}),
    [](const auto& c) { return c.param.what; });

INSTANTIATE_TEST_SUITE_P(
    Documents, BadSpec,
    testing::Values(
        Case{"empty", "", "s.yaml: is empty; a spec has at least `model:` or `command:`"},
        Case{"only_a_comment", "# nothing\n",
             "s.yaml: is empty; a spec has at least `model:` or `command:`"},
        Case{"a_list", "- a\n", "s.yaml:1: must be a map of fields such as `epochs: 16`"},
        Case{"syntax", "name: small\nmodel: {input: [1\n",
             "s.yaml:3: not YAML: end of sequence flow not found; mend the syntax"},
        Case{"two_documents", "name: a\n---\nname: b\n",
             "s.yaml: more than one YAML document; a spec is one, remove the others"},
        Case{"not_utf8", "name: \xff\xfe\n", "s.yaml: not a UTF-8 text; save it as one"},
        Case{"nul_escape", "command: [\"a\\0b\"]\n",
             "s.yaml:1: a text with a NUL or broken UTF-8 in it; remove these characters"},
        Case{"tag", "name: !!python/object a\n",
             "s.yaml:1: the YAML tag tag:yaml.org,2002:python/object has no meaning here; remove "
             "it"},
        Case{"self_alias", "params: &a {b: *a}\n",
             "s.yaml:1: an alias to the value that it is part of; write the value out"},
        Case{"merge_key", "params: {a: &a {x: 1}, b: {<<: *a}}\n",
             "s.yaml:1: YAML's merge key '<<' means nothing here; write the fields out"},
        Case{"list_as_key", "? [a, b]\n: 1\n",
             "s.yaml:1: a field's name must be a word, not a list or a map"},
        Case{"neither", "name: x\n",
             "s.yaml:1: neither `model` (Baton trains) nor `command` (your program does) is "
             "given; add one"},
        Case{"both", Spoilt("epochs: 2", "epochs: 2\ncommand: [a]"),
             "s.yaml:4: command: given beside `model`; a job has one of the two, remove the other"},
        Case{"command_as_text", "command: python3 train.py\n",
             "s.yaml:1: command: must be a list, the program first, such as [python3, train.py]"},
        Case{"native_field_of_a_command", "command: [a]\nepochs: 3\n",
             "s.yaml:2: epochs: only a job with `model` has it; remove it, or put it into "
             "`params`"},
        Case{"globs_that_leave_the_folder",
             "command: [a]\ncheckpoints:\n- out/*.pt\n- ../x.pt\n- /tmp/x.pt\n- \"\"\n- {a: b}\n",
             "s.yaml:4: checkpoints: '../x.pt' leaves the working folder; name files inside of "
             "it, e.g. out/*.pt\n"
             "s.yaml:5: checkpoints: '/tmp/x.pt' is absolute; write it relative to the working "
             "folder, e.g. out/*.pt\n"
             "s.yaml:6: checkpoints: '' names no file; write e.g. out/*.pt\n"
             "s.yaml:7: checkpoints: must be a text such as out/*.pt"},
        Case{"no_globs", "command: [a]\ncheckpoints: []\n",
             "s.yaml:2: checkpoints: must be a list of files such as [out/*.pt, logs/**]"},
        Case{"metrics_as_a_list", "command: [a]\nmetrics: [acc]\n",
             "s.yaml:2: metrics: must be a map such as {val_acc: 'acc=(\\S+)'}"},
        Case{"metric_without_expression", "command: [a]\nmetrics:\n  acc: [a]\n",
             "s.yaml:3: metrics.acc: must be a regular expression such as 'acc=(\\S+)'; quote it"},
        Case{"notice_signal", "command: [a]\nnotice_signal: KILL\n",
             "s.yaml:2: notice_signal: unknown value 'KILL'; use TERM, USR1 or none"},
        Case{"number_for_json", "command: [a]\nparams: {x: .inf}\n",
             "s.yaml:2: params.x: .inf is no number that JSON can hold; quote it"},
        Case{
            "all_at_once",
            "ranks: 0\nepoch: 3\nbatch_size: big\nmodel:\n  input: [1, 4, 4]\n  layers: [max_pool: "
            "5]\noptimizer: {name: sgd, lr: -1}\n",
            "s.yaml:1: ranks: must be at least 1, is 0\n"
            "s.yaml:1: epochs: missing; add e.g. `epochs: 16`\n"
            "s.yaml:1: data: missing; add e.g. `data: {train: {images: FILE, labels: FILE}}`\n"
            "s.yaml:2: epoch: unknown field; did you mean epochs?\n"
            "s.yaml:3: batch_size: must be a whole number, is 'big'\n"
            "s.yaml:6: model.layers.0: max_pool1 a kernel of 5 is larger than its input of 4 with "
            "padding 0; make the kernel smaller or pad more\n"
            "s.yaml:7: optimizer.lr: must be more than 0, is -1"}),
    [](const auto& c) { return c.param.what; });

TEST(BadSpecSize, OverOneMebibyteIsRefused) {
  const std::string text = "name: a\n#" + std::string(kSpecBytesMax, 'x');
  EXPECT_EQ(MistakesOf(text),
            "s.yaml: longer than 1 MiB; a spec is a short text, data goes into files of its own");
}

TEST(BadSpecSize, DeepNestingIsRefused) {
  for (const int depth : {65, 499, 10'000, 500'000}) {
    const std::string text = "params: " + std::string(static_cast<size_t>(depth), '[');
    EXPECT_FALSE(ParseText(text, "s.yaml").ok());
  }
  EXPECT_EQ(MistakesOf("params: " + std::string(5000, '[') + std::string(5000, ']')),
            "s.yaml:1: nested more than 64 levels deep; a spec needs fewer");
  std::string closed = "command: [a]\nparams: {x: ";
  closed += std::string(70, '[') + std::string(70, ']') + "}\n";
  EXPECT_EQ(MistakesOf(closed), "s.yaml:2: nested more than 64 levels deep; a spec needs fewer");
}

TEST(BadSpecSize, AliasBombIsRefused) {
  std::string text = "params:\n  a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
  for (int i = 1; i < 12; ++i) {
    absl::StrAppend(&text, "  a", i, ": &a", i, " [");
    for (int j = 0; j < 10; ++j) absl::StrAppend(&text, j > 0 ? ", " : "", "*a", i - 1);
    absl::StrAppend(&text, "]\n");
  }
  EXPECT_NE(MistakesOf(text).find("too many values, aliases written out"), std::string::npos);
}

TEST(BadSpecSize, MoreWordsOrVariablesThanASchedulerTakesAreRefused) {
  std::string words = "command: [a";
  std::string variables = "command: [a]\nenv: {";
  for (int i = 0; i < 4096; ++i) absl::StrAppend(&words, ", b");
  for (int i = 0; i < 257; ++i) absl::StrAppend(&variables, i > 0 ? ", " : "", "A", i, ": x");
  EXPECT_EQ(
      MistakesOf(words + "]\n"),
      "s.yaml:1: command: must have at most 4096 words, has 4097; put the others into a file");
  EXPECT_EQ(MistakesOf(variables + "}\n"),
            "s.yaml:2: env: must have at most 256 variables, has 257; put the others into a file");
}

TEST(BadSpecSize, ManyFieldsAreReadInTime) {
  std::string text = "command: [a]\nparams:\n";
  for (int i = 0; i < 40'000; ++i) absl::StrAppend(&text, "  k", i, ": 1\n");
  EXPECT_EQ(MistakesOf(text), "");
}

TEST(BadSpecMessages, AreOneLineEach) {
  const std::string text = MistakesOf("command: [a]\n\"x\\ny\": 1\n");
  EXPECT_EQ(text.find('\n'), std::string::npos) << text;
}

}  // namespace
}  // namespace baton::spec
