#include <cstdio>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/command/command.h"
#include "client/download.h"
#include "client/folder.h"
#include "client/render/json.h"
#include "common/status.h"
#include "nlohmann/json.hpp"

namespace baton::client {
namespace {

// Weights that were trained on ImageNet's 1000 classes.
struct Model {
  const char* name;  // as the spec is called
  const char* from;
  const char* mirror;
  PublicFile file;
  int64_t input;  // pixels along height and width that it was trained on
  const char* last;
};

constexpr char kTorchvision[] = "https://download.pytorch.org/models/";
constexpr char kKeras[] = "https://storage.googleapis.com/tensorflow/keras-applications/";

// The digests are the publishers' own: the end of a name of torchvision's is the beginning of its
// SHA-256, as torch.hub checks it; Keras' MD5 is in keras.applications.
const std::vector<Model>& Models() {
  using Kind = Checksum::Kind;
  static const std::string vgg = absl::StrCat(kKeras, "vgg19/");
  static const std::string resnet = absl::StrCat(kKeras, "resnet/");
  static const std::string inception = absl::StrCat(kKeras, "inception_v3/");
  static const std::vector<Model> models = {
      {"vgg-19",
       "torchvision",
       kTorchvision,
       {"vgg19-dcbb9e9d.pth", {Kind::kSha256, "dcbb9e9d"}},
       224,
       "classifier.6"},
      {"resnet-50",
       "torchvision",
       kTorchvision,
       {"resnet50-0676ba61.pth", {Kind::kSha256, "0676ba61"}},
       224,
       "fc"},
      {"inception-v3",
       "torchvision",
       kTorchvision,
       {"inception_v3_google-0cc3c7bd.pth", {Kind::kSha256, "0cc3c7bd"}},
       299,
       "fc"},
      {"vgg-19-keras",
       "Keras",
       vgg.c_str(),
       {"vgg19_weights_tf_dim_ordering_tf_kernels.h5",
        {Kind::kMd5, "cbe5617147190e668d6c5d5026f83318"}},
       224,
       "classifier.6"},
      {"resnet-50-keras",
       "Keras",
       resnet.c_str(),
       {"resnet50_weights_tf_dim_ordering_tf_kernels.h5",
        {Kind::kMd5, "2cb95161c43110f7111970584f804107"}},
       224,
       "predictions"},
      {"inception-v3-keras",
       "Keras",
       inception.c_str(),
       {"inception_v3_weights_tf_dim_ordering_tf_kernels.h5",
        {Kind::kMd5, "9a0d58056eeedaa3f26cb7ebd46da564"}},
       299,
       "fc"},
  };
  return models;
}

absl::StatusOr<const Model*> Find(const std::string& name) {
  std::vector<std::string> names;
  for (const Model& model : Models()) {
    if (name == model.name) return &model;
    names.push_back(model.name);
  }
  return absl::NotFoundError(
      absl::StrCat("no published model is called ", name, "; known: ", absl::StrJoin(names, ", ")));
}

struct Flags {
  std::string name;
  std::string to = "models";
  std::string mirror;
};

absl::Status Fetch(const Context& context, const Flags& flags) {
  BATON_ASSIGN_OR_RETURN(const Model* model, Find(flags.name));
  MadeFolders made;
  BATON_RETURN_IF_ERROR(made.Make(flags.to, "--to"));
  const std::string mirror = flags.mirror.empty() ? model->mirror : flags.mirror;
  const std::string path = absl::StrCat(flags.to, "/", model->file.name);
  BATON_ASSIGN_OR_RETURN(const bool fetched,
                         FetchFile(model->file, {mirror.back() == '/' ? mirror : mirror + "/"},
                                   path, Context::interrupted));
  if (context.json()) {
    std::fputs(Pretty({{"name", model->name}, {"path", path}, {"fetched", fetched}}).c_str(),
               stdout);
    return absl::OkStatus();
  }
  std::printf("%s %s\n", path.c_str(), fetched ? "fetched and verified" : "is there");
  std::fprintf(stderr, "in a spec: weights: {uri: %s, skip: [%s]}\n", path.c_str(), model->last);
  return absl::OkStatus();
}

absl::Status List(const Context& context) {
  auto list = nlohmann::ordered_json::array();
  for (const Model& model : Models()) {
    const Checksum& checksum = model.file.checksum;
    list.push_back({{"name", model.name},
                    {"from", model.from},
                    {"url", absl::StrCat(model.mirror, model.file.name)},
                    {checksum.kind == Checksum::Kind::kMd5 ? "md5" : "sha256_prefix", checksum.hex},
                    {"input", {3, model.input, model.input}},
                    {"classes", 1000},
                    {"last_layer", model.last}});
    if (context.json()) continue;
    std::printf("%-20s %-12s %lld x %lld  %s%s\n", model.name, model.from,
                static_cast<long long>(model.input), static_cast<long long>(model.input),
                model.mirror, model.file.name.c_str());
  }
  if (context.json()) std::fputs(Pretty({{"models", list}}).c_str(), stdout);
  return absl::OkStatus();
}

}  // namespace

void AddModel(CLI::App& app, Context& context) {
  CLI::App* model =
      AddVerb(app, "model", "Published weights to begin with", "baton model fetch resnet-50");
  model->require_subcommand(1);
  CLI::App* fetch =
      AddVerb(*model, "fetch", "Fetch the weights of a published model, with checksum",
              "baton model fetch resnet-50 --to models");
  auto flags = std::make_shared<Flags>();
  fetch->add_option("name", flags->name, "as `baton model list` has it")->required();
  fetch->add_option("--to", flags->to, "the folder (models)");
  fetch->add_option("--mirror", flags->mirror, "fetch from here instead: a URL, file:// too");
  AddOutputFlag(*fetch, context);
  OnVerb(*fetch, context, [&context, flags] { return Fetch(context, *flags); });
  CLI::App* list = AddVerb(*model, "list", "List what there is", "baton model list -o json");
  AddOutputFlag(*list, context);
  OnVerb(*list, context, [&context] { return List(context); });
}

}  // namespace baton::client
