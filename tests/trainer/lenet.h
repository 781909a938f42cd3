// The models of trainer/specs as values, for tests that need no spec file.
#pragma once

#include "common/spec/model.h"

namespace baton::trainer {

// LeNet-5 as trainer/specs/lenet.yaml has it: 61,706 parameters.
inline spec::Model LeNet() {
  spec::Model model;
  model.inputs = {{spec::kModelInput, {1, 28, 28}}};
  model.divide_by = 255;
  model.layers = {
      {"conv1", {}, spec::Conv{6, 5, 1, 2}}, {"relu1", {}, spec::Activation{}},
      {"pool1", {}, spec::MaxPool{2, 2, 0}}, {"conv2", {}, spec::Conv{16, 5, 1, 0}},
      {"relu2", {}, spec::Activation{}},     {"pool2", {}, spec::MaxPool{2, 2, 0}},
      {"flatten", {}, spec::Flatten{}},      {"dense1", {}, spec::Dense{120}},
      {"relu3", {}, spec::Activation{}},     {"dense2", {}, spec::Dense{84}},
      {"relu4", {}, spec::Activation{}},     {"dense3", {}, spec::Dense{10}},
  };
  return model;
}

}  // namespace baton::trainer
