#include "trainer/data/picture_scale.h"

namespace baton::trainer {
namespace {

std::vector<float> PerChannel(const std::vector<double>& given, int64_t channels, double fill) {
  if (given.size() > 1) return {given.begin(), given.end()};
  const double all = given.empty() ? fill : given[0];
  return std::vector<float>(static_cast<size_t>(channels), static_cast<float>(all));
}

}  // namespace

image::Frame FrameOf(const spec::FolderData& data, const spec::Model& model) {
  const spec::Shape& input = model.inputs[0].shape;
  return {input[0], input[1], input[2], data.resize};
}

PictureScale ScaleOf(const spec::FolderData& data, const spec::Model& model) {
  const int64_t channels = model.inputs[0].shape[0];
  return {static_cast<float>(model.divide_by),
          data.channel_order == spec::FolderData::ChannelOrder::kBgr,
          PerChannel(data.mean, channels, 0), PerChannel(data.std, channels, 1)};
}

}  // namespace baton::trainer
