#include "common/table/npy.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "tests/common/table/bytes.h"

namespace baton::table {
namespace {

absl::StatusOr<NpyArray> Read(const std::string& bytes, Keep keep = Keep::kValues) {
  Bytes source(bytes, 1000);
  return ReadNpyFrom("x.npy", source, keep);
}

std::string ErrorOf(const std::string& bytes) {
  return std::string(Read(bytes).status().message());
}

std::string Dictionary(const std::string& type, const std::string& order,
                       const std::string& shape) {
  return NpyHeader("{'descr': " + type + ", 'fortran_order': " + order + ", 'shape': " + shape +
                   ", }\n");
}

TEST(Npy, ReadsEveryType) {
  const std::vector<float> wanted = {1, 2, 250};
  EXPECT_EQ(Read(Npy<float>("<f4", "(3,)", {1, 2, 250}))->values, wanted);
  EXPECT_EQ(Read(Npy<double>("<f8", "(3,)", {1, 2, 250}))->values, wanted);
  EXPECT_EQ(Read(Npy<int32_t>("<i4", "(3,)", {1, 2, 250}))->values, wanted);
  EXPECT_EQ(Read(Npy<int64_t>("<i8", "(3,)", {1, 2, 250}))->values, wanted);
  EXPECT_EQ(Read(Npy<uint8_t>("|u1", "(3,)", {1, 2, 250}))->values, wanted);
}

TEST(Npy, SaysWhatItHolds) {
  const NpyArray array = *Read(Npy<double>("<f8", "(2, 3)", {4, -1.5, 7, 7, -1.5, 0}));
  EXPECT_EQ(array.summary.dims, (std::vector<uint64_t>{2, 3}));
  EXPECT_EQ(array.summary.type, "float64");
  EXPECT_FALSE(array.summary.whole);
  EXPECT_EQ(array.summary.smallest, -1.5);
  EXPECT_EQ(array.summary.smallest_at, 1u);
  EXPECT_EQ(array.summary.largest, 7);
  EXPECT_EQ(array.summary.largest_at, 2u);
  EXPECT_TRUE(Read(Npy<uint8_t>("|u1", "(1,)", {1}), Keep::kNothing)->values.empty());
}

TEST(Npy, LabelsAreWholeOrNotKept) {
  const int64_t far = std::numeric_limits<int64_t>::max();
  EXPECT_EQ(Read(Npy<int64_t>("<i8", "(3,)", {-1, 16777217, far}), Keep::kLabels)->labels,
            (std::vector<int32_t>{-1, 16777217, std::numeric_limits<int32_t>::max()}));
  EXPECT_TRUE(Read(Npy<float>("<f4", "(1,)", {1}), Keep::kLabels)->labels.empty());
}

TEST(Npy, ReadsMoreThanOnePiece) {
  std::vector<float> values(200'000);
  for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i);
  EXPECT_EQ(Read(Npy<float>("<f4", "(1000, 200)", values))->values, values);
}

TEST(Npy, HeadersMayBeWrittenOtherwise) {
  const std::string values("\x05\x06", 2);
  EXPECT_TRUE(
      Read(NpyHeader("{\"shape\":(2,),\"descr\":\"|u1\",\"fortran_order\":False}") + values).ok());
  EXPECT_TRUE(Read(Dictionary("'|u1'", "True", "(2,)") + values).ok()) << "one dimension";
  std::string later = Dictionary("'|u1'", "False", "(2,)") + values;
  later = later.substr(0, 6) + std::string("\x03\x00", 2) + later.substr(8, 2) +
          std::string("\0\0", 2) + later.substr(10);
  EXPECT_TRUE(Read(later).ok()) << "versions 2 and 3 have a longer length";
}

TEST(Npy, RefusesOtherFormatsAndOrders) {
  const std::string words =
      "x.npy: is no NPY file: its first bytes are not \\x93NUMPY; save it with numpy.save";
  EXPECT_EQ(ErrorOf(""), words);
  EXPECT_EQ(ErrorOf("<html>404</html>"), words);
  EXPECT_EQ(ErrorOf("\x93NUMPY\x09" + std::string(100, '\0')),
            "x.npy: has version 9 of the format; 1 to 3 are known");
  EXPECT_EQ(ErrorOf(Dictionary("'>f4'", "False", "(2,)")),
            "x.npy: holds values of the type >f4; save it as float32, float64, int32, int64 or "
            "uint8, e.g. `numpy.save(file, x.astype('<f4'))`");
  EXPECT_EQ(ErrorOf(Dictionary("[('a', '<f4')]", "False", "(2,)")).substr(0, 44),
            "x.npy: holds values of the type a record; sa");
  EXPECT_EQ(ErrorOf(Dictionary("'<f4'", "True", "(2, 2)")),
            "x.npy: is in Fortran order (columns first); save it with `numpy.save(file, "
            "numpy.ascontiguousarray(x))`");
}

TEST(Npy, RefusesDamagedHeaders) {
  const std::string words =
      "x.npy: has a header that numpy does not write; save it with numpy.save";
  for (const char* bad :
       {"", "{", "{}", "{'descr': '<f4'", "[]", "{'shape': (2,)}",
        "{'descr': '<f4', 'shape': (2,)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (-2,)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (2}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999,)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (2,)} x",
        "{'descr: '<f4', 'fortran_order': False, 'shape': (2,)}", "{'\xff': 1}"}) {
    EXPECT_EQ(ErrorOf(NpyHeader(bad) + std::string(100, 'x')), words) << bad;
  }
  EXPECT_EQ(ErrorOf("\x93NUMPY" + std::string("\x02\x00", 2) + "\xff\xff\xff\x7f"),
            "x.npy: announces a header of 2147483647 bytes; the file is damaged");
}

TEST(Npy, BoundsShapes) {
  EXPECT_EQ(
      ErrorOf(Dictionary("'<f4'", "False", "(65536, 65536)")),
      "x.npy: announces (65536, 65536) values, more than 1073741824; the header is damaged or "
      "the file too large");
  EXPECT_EQ(ErrorOf(Dictionary("'<f4'", "False", "(18446744073709551615, 18446744073709551615)"))
                .substr(0, 44),
            "x.npy: announces (18446744073709551615, 1844");
  EXPECT_EQ(ErrorOf(Dictionary("'<f4'", "False", "(3, 0)")), "x.npy: is empty: (3, 0)");
  EXPECT_EQ(ErrorOf(Dictionary("'<f4'", "False", "()")),
            "x.npy: holds one number, not an array of samples");
  // Nothing is reserved for what is announced but not there.
  EXPECT_EQ(ErrorOf(Dictionary("'<f4'", "False", "(1000000000,)") + "abcd"),
            "x.npy: ends after 1 of 1000000000 values; fetch or save the file again");
}

TEST(Npy, ACutFileIsToldWhereverItEnds) {
  const std::string whole = Npy<float>("<f4", "(2, 2)", {1, 2, 3, 4});
  for (size_t size = 0; size < whole.size(); ++size) {
    EXPECT_FALSE(Read(whole.substr(0, size)).ok()) << size;
  }
  EXPECT_EQ(ErrorOf(whole.substr(0, 30)),
            "x.npy: ends inside the header; fetch or save the file again");
  EXPECT_EQ(ErrorOf(whole + "x"),
            "x.npy: has more bytes than its shape (2, 2) needs; fetch or save the file again");
}

TEST(Npy, ValuesAreFinite) {
  const double inf = std::numeric_limits<double>::infinity();
  EXPECT_EQ(ErrorOf(Npy<float>("<f4", "(2, 2)", {1, 2, 3, std::nanf("")})),
            "x.npy: the value at (1, 1) is nan; mend it, or leave its sample out");
  EXPECT_EQ(ErrorOf(Npy<double>("<f8", "(2, 2)", {1, -inf, 3, 4})),
            "x.npy: the value at (0, 1) is -inf; mend it, or leave its sample out");
  EXPECT_EQ(ErrorOf(Npy<double>("<f8", "(1,)", {1e300})),
            "x.npy: the value at (0) is 1e+300; mend it, or leave its sample out");
}

}  // namespace
}  // namespace baton::table
