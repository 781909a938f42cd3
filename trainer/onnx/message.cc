#include "trainer/onnx/message.h"

#include <cstring>

namespace baton::trainer::onnx {
namespace {

// Field numbers and enums of onnx.proto.
constexpr int kFloatType = 1;  // TensorProto.DataType
constexpr int kInt64Type = 7;
constexpr int kAttributeFloat = 1;  // AttributeProto.AttributeType
constexpr int kAttributeInt = 2;
constexpr int kAttributeString = 3;
constexpr int kAttributeInts = 7;

Message Tensor(absl::string_view name, int type, absl::Span<const int64_t> dims,
               absl::string_view raw) {
  Message tensor;
  for (const int64_t extent : dims) tensor.Int(1, extent);
  tensor.Int(2, type);
  tensor.Text(8, name);
  tensor.Text(9, raw);  // little-endian, as the machines are that this is built for
  return tensor;
}

}  // namespace

void Message::Varint(uint64_t value) {
  for (; value >= 0x80; value >>= 7) bytes_.push_back(static_cast<char>(value | 0x80));
  bytes_.push_back(static_cast<char>(value));
}

void Message::Int(int field, int64_t value) {
  Varint(static_cast<uint64_t>(field) << 3);
  Varint(static_cast<uint64_t>(value));
}

void Message::Float(int field, float value) {
  Varint(static_cast<uint64_t>(field) << 3 | 5);
  char bytes[sizeof(value)];
  std::memcpy(bytes, &value, sizeof(value));
  bytes_.append(bytes, sizeof(bytes));
}

void Message::Text(int field, absl::string_view bytes) {
  Varint(static_cast<uint64_t>(field) << 3 | 2);
  Varint(bytes.size());
  bytes_.append(bytes.data(), bytes.size());
}

Node::Node(absl::string_view type, const std::vector<std::string>& inputs,
           const std::vector<std::string>& outputs) {
  for (const std::string& input : inputs) message_.Text(1, input);
  for (const std::string& output : outputs) message_.Text(2, output);
  message_.Text(4, type);
}

Message Node::Attribute(absl::string_view name, int type) const {
  Message attribute;
  attribute.Text(1, name);
  attribute.Int(20, type);
  return attribute;
}

Node& Node::Ints(absl::string_view name, absl::Span<const int64_t> values) {
  Message attribute = Attribute(name, kAttributeInts);
  for (const int64_t value : values) attribute.Int(8, value);
  message_.Nested(5, attribute);
  return *this;
}

Node& Node::Int(absl::string_view name, int64_t value) {
  Message attribute = Attribute(name, kAttributeInt);
  attribute.Int(3, value);
  message_.Nested(5, attribute);
  return *this;
}

Node& Node::Float(absl::string_view name, float value) {
  Message attribute = Attribute(name, kAttributeFloat);
  attribute.Float(2, value);
  message_.Nested(5, attribute);
  return *this;
}

Node& Node::Word(absl::string_view name, absl::string_view value) {
  Message attribute = Attribute(name, kAttributeString);
  attribute.Text(4, value);
  message_.Nested(5, attribute);
  return *this;
}

Message FloatTensor(absl::string_view name, absl::Span<const int64_t> dims,
                    absl::Span<const float> values) {
  return Tensor(name, kFloatType, dims,
                {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(values[0])});
}

Message IntTensor(absl::string_view name, absl::Span<const int64_t> dims,
                  absl::Span<const int64_t> values) {
  return Tensor(name, kInt64Type, dims,
                {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(values[0])});
}

Message BatchOfFloats(absl::string_view name, absl::Span<const int64_t> sample) {
  Message shape, batch;
  batch.Text(2, "N");
  shape.Nested(1, batch);
  for (const int64_t extent : sample) {
    Message dimension;
    dimension.Int(1, extent);
    shape.Nested(1, dimension);
  }
  Message tensor, type, value;
  tensor.Int(1, kFloatType);
  tensor.Nested(2, shape);
  type.Nested(1, tensor);
  value.Text(1, name);
  value.Nested(2, type);
  return value;
}

}  // namespace baton::trainer::onnx
