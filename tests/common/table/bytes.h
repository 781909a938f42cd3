// Bytes in memory as a source that gives them in small pieces; and NPY and zip files made by hand,
// for tests that then spoil them.
#pragma once

#include <zlib.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/byte_source.h"

namespace baton::table {

class Bytes : public ByteSource {
 public:
  explicit Bytes(std::string bytes, size_t piece = size_t{1} << 20)
      : bytes_(std::move(bytes)), piece_(piece) {}

  absl::StatusOr<size_t> Read(uint8_t* bytes, size_t size) override {
    size_t done = 0;
    while (done < size && at_ < bytes_.size()) {
      const size_t count = std::min({piece_, size - done, bytes_.size() - at_});
      std::memcpy(bytes + done, bytes_.data() + at_, count);
      at_ += count;
      done += count;
    }
    return done;
  }

 private:
  const std::string bytes_;
  const size_t piece_;
  size_t at_ = 0;
};

inline std::string Little(uint64_t value, int size) {
  std::string bytes;
  for (int i = 0; i < size; ++i) bytes.push_back(static_cast<char>(value >> (8 * i)));
  return bytes;
}

inline std::string NpyHeader(const std::string& dictionary) {
  return "\x93NUMPY" + std::string("\x01\x00", 2) + Little(dictionary.size(), 2) + dictionary;
}

// A whole file; `shape` as Python writes it, e.g. "(2, 3)".
template <class T>
std::string Npy(const std::string& type, const std::string& shape, const std::vector<T>& values) {
  std::string bytes =
      NpyHeader("{'descr': '" + type + "', 'fortran_order': False, 'shape': " + shape + ", }\n");
  bytes.append(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T));
  return bytes;
}

struct ZipMember {
  std::string name;
  std::string content;
  bool deflated = false;
};

inline std::string Deflated(const std::string& content) {
  z_stream stream{};
  deflateInit2(&stream, 9, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY);
  std::string packed(deflateBound(&stream, content.size()), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(content.data()));
  stream.avail_in = static_cast<uInt>(content.size());
  stream.next_out = reinterpret_cast<Bytef*>(packed.data());
  stream.avail_out = static_cast<uInt>(packed.size());
  deflate(&stream, Z_FINISH);
  packed.resize(stream.total_out);
  deflateEnd(&stream);
  return packed;
}

// As numpy.savez and savez_compressed lay them out. `announced`: of each member, in place of its
// true size; 0: the true one.
inline std::string Zip(const std::vector<ZipMember>& members, uint64_t announced = 0) {
  std::string bytes, directory;
  for (const ZipMember& member : members) {
    const std::string packed = member.deflated ? Deflated(member.content) : member.content;
    const auto crc = crc32(0, reinterpret_cast<const Bytef*>(member.content.data()),
                           static_cast<uInt>(member.content.size()));
    const std::string common = Little(20, 2) + Little(0, 2) + Little(member.deflated ? 8 : 0, 2) +
                               Little(0, 4) + Little(crc, 4) + Little(packed.size(), 4) +
                               Little(announced == 0 ? member.content.size() : announced, 4) +
                               Little(member.name.size(), 2);
    absl::StrAppend(&directory, "PK\x01\x02", Little(20, 2), common, Little(0, 8), Little(0, 4),
                    Little(bytes.size(), 4), member.name);
    // The local header has an extra field, as numpy's have.
    absl::StrAppend(&bytes, "PK\x03\x04", common, Little(4, 2), member.name, Little(1, 2),
                    Little(0, 2), packed);
  }
  const std::string count = Little(members.size(), 2);
  return absl::StrCat(bytes, directory, "PK\x05\x06", Little(0, 4), count, count,
                      Little(directory.size(), 4), Little(bytes.size(), 4), Little(0, 2));
}

}  // namespace baton::table
