// Which layer of a published model Keras means by a number: pairs that Keras 3.5 and 2.15 gave.
#include "common/spec/layer_names.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "absl/strings/str_cat.h"
#include "common/spec/parse.h"

namespace baton::spec {
namespace {

Model Shipped(const std::string& name) {
  const auto reading =
      ReadSpecFile(absl::StrCat(BATON_SOURCE_DIR "/trainer/specs/", name, ".yaml"));
  EXPECT_TRUE(reading.ok()) << reading.status();
  return reading->spec.native->model;
}

// "conv2d", "conv2d_1", .. as a file has them: sorted as text.
std::vector<std::string> Numbered(const std::string& kind, int count) {
  std::vector<std::string> names = {kind};
  for (int i = 1; i < count; ++i) names.push_back(absl::StrCat(kind, "_", i));
  std::sort(names.begin(), names.end());
  return names;
}

TEST(LayerNames, InceptionIsMadeInOneOrderAndSavedInAnother) {
  const Model model = Shipped("inception-v3-keras");
  auto names = *NumberedLayers(Numbered("conv2d", 94), model);
  EXPECT_EQ(names["conv2d"], "Conv2d_1a_3x3.conv");
  EXPECT_EQ(names["conv2d_5"], "Mixed_5b.branch1x1.conv");
  EXPECT_EQ(names["conv2d_9"], "Mixed_5b.branch3x3dbl_2.conv");
  EXPECT_EQ(names["conv2d_93"], "Mixed_7c.branch_pool.conv");
  auto later = *NumberedLayers({"batch_normalization_95", "batch_normalization_188"}, model);
  EXPECT_EQ(later["batch_normalization_95"], "Conv2d_1a_3x3.bn") << "models made before it count";
  names = *NumberedLayers(Numbered("layers/conv2d", 94), model);
  EXPECT_EQ(names["layers/conv2d_4"], "Conv2d_4a_3x3.conv");
  EXPECT_EQ(names["layers/conv2d_5"], "Mixed_5b.branch3x3dbl_1.conv");
  EXPECT_EQ(names["layers/conv2d_8"], "Mixed_5b.branch1x1.conv");
  EXPECT_EQ(names["layers/conv2d_92"], "Mixed_7c.branch1x1.conv");
  std::set<std::string> all;
  for (const auto& [theirs, ours] : names) all.insert(ours);
  EXPECT_EQ(all.size(), 94u) << "each once";
}

TEST(LayerNames, ResNetIsSavedWithTheShortcutBeforeTheThird) {
  auto names = *NumberedLayers(Numbered("layers/conv2d", 53), Shipped("resnet-50-keras"));
  EXPECT_EQ(names["layers/conv2d_3"], "conv2_block1_0_conv");
  EXPECT_EQ(names["layers/conv2d_4"], "conv2_block1_3_conv");
  EXPECT_EQ(names["layers/conv2d_52"], "conv5_block3_3_conv");
}

TEST(LayerNames, OthersCallThemTheirWay) {
  const Model vgg = Shipped("vgg-19");
  EXPECT_EQ(OwnLayerName("block5_conv4", vgg), "features.34");
  EXPECT_EQ(OwnLayerName("predictions", vgg), "classifier.6");
  EXPECT_EQ(OwnLayerName("head.fc", vgg), "classifier.6");
  EXPECT_EQ(OwnLayerName("predictions", Shipped("inception-v3")), "fc");
  EXPECT_EQ(OwnLayerName("predictions", Shipped("resnet-50-keras")), "predictions");
  EXPECT_EQ(OwnLayerName("block5_conv4", Shipped("resnet-50")), "");
}

TEST(LayerNames, AnotherGraphOfKeras3IsNotGuessed) {
  EXPECT_FALSE(NumberedLayers({"layers/conv2d"}, Shipped("resnet-50")).ok());
  EXPECT_TRUE(NumberedLayers({"layers/conv2d"}, Shipped("vgg-19")).ok());
}

}  // namespace
}  // namespace baton::spec
