// Writes the few protobuf messages that an ONNX file consists of (github.com/onnx/onnx,
// onnx/onnx.proto, IR version 8). The trainer carries no protobuf, and these are five of its
// messages.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace baton::trainer::onnx {

// One message, field after field (protobuf.dev/programming-guides/encoding).
class Message {
 public:
  void Int(int field, int64_t value);
  void Float(int field, float value);
  void Text(int field, absl::string_view bytes);
  void Nested(int field, const Message& message) { Text(field, message.bytes_); }

  const std::string& bytes() const { return bytes_; }

 private:
  void Varint(uint64_t value);
  std::string bytes_;
};

// NodeProto: `type` of the standard operator set, with its attributes.
class Node {
 public:
  Node(absl::string_view type, const std::vector<std::string>& inputs,
       const std::vector<std::string>& outputs);

  Node& Ints(absl::string_view name, absl::Span<const int64_t> values);
  Node& Int(absl::string_view name, int64_t value);
  Node& Float(absl::string_view name, float value);
  Node& Word(absl::string_view name, absl::string_view value);

  const Message& message() const { return message_; }

 private:
  Message Attribute(absl::string_view name, int type) const;
  Message message_;
};

// TensorProto of float32 or int64, row-major.
Message FloatTensor(absl::string_view name, absl::Span<const int64_t> dims,
                    absl::Span<const float> values);
Message IntTensor(absl::string_view name, absl::Span<const int64_t> dims,
                  absl::Span<const int64_t> values);

// ValueInfoProto of float32 whose first extent is the batch, of any size.
Message BatchOfFloats(absl::string_view name, absl::Span<const int64_t> sample);

}  // namespace baton::trainer::onnx
