// Kinds of archives beyond what models_test.cpp reads: ZIP64, lies, what cannot be streamed.

#include <gtest/gtest.h>
#include <zlib.h>

#include <cstdint>
#include <string>

#include "models/zip_member.h"

namespace minimill::models {
namespace {

std::string le(std::uint64_t value, int bytes) {
  std::string out;
  for (int i = 0; i < bytes; ++i) out += static_cast<char>(value >> (8 * i));
  return out;
}

std::uint32_t crc_of(const std::string& text) {
  return static_cast<std::uint32_t>(
      crc32(0, reinterpret_cast<const Bytef*>(text.data()), static_cast<uInt>(text.size())));
}

std::string deflated(const std::string& text) {
  z_stream stream{};
  deflateInit2(&stream, 6, Z_DEFLATED, -MAX_WBITS, 8, Z_DEFAULT_STRATEGY);
  std::string out(text.size() + 1000, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  deflate(&stream, Z_FINISH);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

struct Entry {
  std::string name;
  std::string text;
  bool compress = true;
  bool sizes_follow = false;
  bool zip64 = false;
  std::uint16_t flags = 0;
  std::int64_t size_lie = 0;
};

std::string bytes_of(const Entry& entry) {
  const std::string data = entry.compress ? deflated(entry.text) : entry.text;
  const std::uint64_t size = entry.text.size() + static_cast<std::uint64_t>(entry.size_lie);
  const std::string extra =
      entry.zip64 ? le(1, 2) + le(16, 2) + le(size, 8) + le(data.size(), 8) : "";
  const bool in_header = !entry.sizes_follow && !entry.zip64;
  const std::uint64_t outside = entry.zip64 ? 0xffffffffU : 0U;
  return le(0x04034b50, 4) + le(20, 2) + le(entry.flags | (entry.sizes_follow ? 8U : 0U), 2) +
         le(entry.compress ? 8 : 0, 2) + le(0, 4) +
         le(entry.sizes_follow ? 0 : crc_of(entry.text), 4) +
         le(in_header ? data.size() : outside, 4) + le(in_header ? size : outside, 4) +
         le(entry.name.size(), 2) + le(extra.size(), 2) + entry.name + extra + data;
}

const std::string kDirectory = le(0x02014b50, 4) + std::string(50, 'x');

struct Outcome {
  Result<> fed;
  bool done = false;
  std::string text;
};

Outcome take_out(const std::string& archive, std::size_t piece) {
  Outcome outcome;
  ZipMember member("wanted.gguf", [&outcome](std::string_view bytes) -> Result<> {
    outcome.text += bytes;
    return {};
  });
  for (std::size_t at = 0; at < archive.size() && outcome.fed; at += piece) {
    outcome.fed = member.feed(std::string_view(archive).substr(at, piece));
  }
  outcome.done = member.done();
  return outcome;
}

TEST(ZipStreaming, Zip64SizesAreRead) {
  const Entry wanted{.name = "wanted.gguf", .text = "of any size", .zip64 = true};
  const Outcome outcome = take_out(bytes_of(wanted) + kDirectory, 5);

  EXPECT_TRUE(outcome.done);
  EXPECT_EQ(outcome.text, "of any size");
}

TEST(ZipStreaming, FileNameMustMatchWhole) {
  const Entry other{.name = "a/not-wanted.gguf", .text = "another"};
  const Outcome outcome = take_out(bytes_of(other) + kDirectory, 1000);

  EXPECT_TRUE(outcome.fed.has_value());
  EXPECT_FALSE(outcome.done);
  EXPECT_EQ(outcome.text, "");
}

TEST(ZipStreaming, SizesThatLieAreNoticed) {
  for (const std::int64_t lie : {-1, 1}) {
    const Entry wanted{.name = "wanted.gguf", .text = "text", .size_lie = lie};
    const Outcome outcome = take_out(bytes_of(wanted) + kDirectory, 1000);
    ASSERT_FALSE(outcome.fed.has_value());
    EXPECT_EQ(outcome.fed.error().code, ErrorCode::kCorrupt);
    EXPECT_FALSE(outcome.done);
  }
}

TEST(ZipStreaming, WhatCannotBeStreamedIsSaidSo) {
  const Entry encrypted{.name = "wanted.gguf", .text = "x", .flags = 1};
  const Entry endless{.name = "any", .text = "x", .sizes_follow = true};

  EXPECT_EQ(take_out(bytes_of(encrypted), 1000).fed.error().code, ErrorCode::kUnsupported);
  EXPECT_EQ(take_out(bytes_of(endless), 1000).fed.error().code, ErrorCode::kUnsupported);
}

TEST(ZipStreaming, EmptyArchiveHoldsNothing) {
  const Outcome outcome = take_out(le(0x06054b50, 4) + std::string(18, '\0'), 3);

  EXPECT_TRUE(outcome.fed.has_value());
  EXPECT_FALSE(outcome.done);
}

TEST(ZipStreaming, NothingMayFollowTheDeflatedData) {
  Entry wanted{.name = "wanted.gguf", .text = "text"};
  std::string archive = bytes_of(wanted);
  const std::size_t compressed = deflated(wanted.text).size();
  archive.replace(18, 4, le(compressed + 3, 4));

  EXPECT_EQ(take_out(archive + "xyz" + kDirectory, 4).fed.error().code, ErrorCode::kCorrupt);
}

TEST(ZipStreaming, SinksErrorIsPassedOn) {
  const Entry wanted{.name = "wanted.gguf", .text = "text"};
  ZipMember member("wanted.gguf",
                   [](std::string_view) -> Result<> { return fail(ErrorCode::kIo, "disk full"); });
  EXPECT_EQ(member.feed(bytes_of(wanted)).error().code, ErrorCode::kIo);
}

}  // namespace
}  // namespace minimill::models
