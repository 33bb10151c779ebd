// What a hostile or broken GGUF may not do; models_test.cpp has the plain reading.

#include <gtest/gtest.h>

#include <cstdint>
#include <fstream>
#include <string>
#include <utility>

#include "models/gguf.h"
#include "support/temp_dir.h"

namespace minimill::models {
namespace {

constexpr std::uint32_t kUint32 = 4;
constexpr std::uint32_t kString = 8;
constexpr std::uint32_t kArray = 9;
constexpr std::uint32_t kF32 = 0;
constexpr std::uint32_t kQ4_0 = 2;

/// A GGUF put together by hand, so that each part of it can lie.
class Bytes {
 public:
  template <class Number>
  Bytes& number(Number value) {
    text_.append(reinterpret_cast<const char*>(&value), sizeof value);
    return *this;
  }
  Bytes& string(const std::string& value) {
    number<std::uint64_t>(value.size());
    text_ += value;
    return *this;
  }
  Bytes& head(std::uint32_t version, std::uint64_t tensors, std::uint64_t entries) {
    text_ += "GGUF";
    return number(version).number(tensors).number(entries);
  }
  Bytes& entry(const std::string& key, const std::string& value) {
    return string(key).number(kString).string(value);
  }
  Bytes& entry(const std::string& key, std::uint32_t value) {
    return string(key).number(kUint32).number(value);
  }
  Bytes& tensor(const std::string& name, std::uint64_t columns, std::uint64_t rows,
                std::uint32_t type, std::uint64_t offset) {
    return string(name).number<std::uint32_t>(2).number(columns).number(rows).number(type).number(
        offset);
  }
  Bytes& data(std::size_t bytes) {
    text_.resize((text_.size() + 31) / 32 * 32 + bytes);
    return *this;
  }
  const std::string& text() const { return text_; }

 private:
  std::string text_;
};

class GgufLimits : public testing::Test {
 protected:
  Result<GgufInfo> read(const std::string& bytes) {
    std::ofstream(folder_ / "m.gguf", std::ios::binary | std::ios::trunc) << bytes;
    return read_gguf(folder_ / "m.gguf");
  }
  std::string error_of(const std::string& bytes) {
    const Result<GgufInfo> info = read(bytes);
    return info ? "no error" : info.error().message;
  }

  test::TempDir folder_;
};

TEST_F(GgufLimits, QuantizationIsThatOfMostWeightsNotOfMostBytes) {
  Bytes file;
  file.head(3, 2, 1).entry("general.architecture", "llama");
  file.tensor("small", 32, 4, kF32, 0).tensor("big", 32, 8, kQ4_0, 512).data(512 + 144);

  const GgufInfo info = read(file.text()).value();

  EXPECT_EQ(info.quantization, "Q4_0");
  EXPECT_EQ(info.parameters, 32U * 12U);
}

TEST_F(GgufLimits, MissingDataIsCountedInTheMessage) {
  Bytes file;
  file.head(3, 1, 0).tensor("w", 1000, 250, kF32, 0).data(500'000);

  const std::string error = error_of(file.text());

  EXPECT_NE(error.find("truncated: 0.5 MB of 1.0 MB"), std::string::npos) << error;
}

TEST_F(GgufLimits, WebPageInAModelsPlaceIsCalledWhatItIs) {
  const std::string error = error_of("<!DOCTYPE html><html>\n");
  EXPECT_NE(error.find("is not a GGUF: it begins with '<!DOCTYPE html>"), std::string::npos)
      << error;
}

TEST_F(GgufLimits, OtherVersionsAndByteOrdersAreNamed) {
  EXPECT_NE(error_of(Bytes().head(1, 1, 0).data(64).text()).find("GGUF version 1"),
            std::string::npos);
  EXPECT_NE(error_of(Bytes().head(9, 1, 0).data(64).text()).find("GGUF version 9"),
            std::string::npos);
  EXPECT_EQ(read(Bytes().head(0x03000000, 1, 0).data(64).text()).error().code,
            ErrorCode::kUnsupported);
}

TEST_F(GgufLimits, UnknownTensorTypeIsNamed) {
  const Result<GgufInfo> info =
      read(Bytes().head(3, 1, 0).tensor("w", 32, 1, 77, 0).data(64).text());

  ASSERT_FALSE(info.has_value());
  EXPECT_EQ(info.error().code, ErrorCode::kUnsupported);
  EXPECT_NE(info.error().message.find("'w' is of type 77"), std::string::npos);
}

TEST_F(GgufLimits, TensorTableThatLiesIsCorrupt) {
  constexpr std::uint64_t kHuge = std::uint64_t{1} << 63;
  const std::string lies[] = {
      Bytes().head(3, 1, 0).tensor("w", kHuge, kHuge, kF32, 0).data(64).text(),
      Bytes().head(3, 1, 0).tensor("w", 0, 1, kF32, 0).data(64).text(),
      Bytes().head(3, 1, 0).tensor("w", 8, 1, kF32, kHuge).data(64).text(),
      Bytes().head(3, 1, 0).tensor("w", 8, 1, kF32, 7).data(64).text(),        // not aligned
      Bytes().head(3, 1, 0).tensor("w", 31, 1, kQ4_0, 0).data(64).text(),      // half a block
      Bytes().head(3, 1, 0).tensor("w", 1000, 1000, kF32, 0).data(64).text(),  // not there
      Bytes().head(3, 0, 0).data(64).text(),
  };
  for (const std::string& lie : lies) {
    const Result<GgufInfo> info = read(lie);
    ASSERT_FALSE(info.has_value());
    EXPECT_EQ(info.error().code, ErrorCode::kCorrupt) << info.error().message;
  }
}

TEST_F(GgufLimits, TensorsUponEachOtherAreCorrupt) {
  Bytes file;
  file.head(3, 40, 0);
  for (int i = 0; i < 40; ++i) file.tensor("w", 64, 64, kF32, 0);  // 40 times the same 16 kB
  file.data(64 * 64 * 4);

  EXPECT_EQ(read(file.text()).error().code, ErrorCode::kCorrupt);
}

TEST_F(GgufLimits, AlignmentIsAPowerOfTwoWithinReason) {
  for (const std::uint32_t alignment : {0U, 3U, 0x80000000U}) {
    Bytes file;
    file.head(3, 1, 1).entry("general.alignment", alignment).tensor("w", 8, 1, kF32, 0).data(64);
    EXPECT_EQ(read(file.text()).error().code, ErrorCode::kCorrupt) << alignment;
  }
}

TEST_F(GgufLimits, ArraysWithinArraysEnd) {
  Bytes file;
  file.head(3, 1, 1).string("deep");
  for (int depth = 0; depth < 1000; ++depth) file.number(kArray).number<std::uint32_t>(kArray);
  file.data(4096);

  EXPECT_EQ(read(file.text()).error().code, ErrorCode::kCorrupt);
}

TEST_F(GgufLimits, NamesCannotDriveATerminal) {
  Bytes file;
  file.head(3, 1, 1).entry("general.name", "a\x1b[2Jb\n\xff").tensor("w", 8, 1, kF32, 0).data(64);

  EXPECT_EQ(read(file.text())->name, "a?[2Jb??");
}

TEST_F(GgufLimits, FolderIsNoModel) {
  EXPECT_EQ(read_gguf(folder_.path()).error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(read_gguf(folder_ / "none").error().code, ErrorCode::kNotFound);
}

}  // namespace
}  // namespace minimill::models
