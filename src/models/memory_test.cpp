#include "models/memory.h"

#include <gtest/gtest.h>

#include <fstream>

#include "models/store.h"
#include "support/temp_dir.h"
#include "support/tiny_gguf.h"

namespace minimill::models {
namespace {

GgufInfo head(std::int64_t embedding, std::int64_t heads, std::int64_t kv_heads) {
  GgufInfo info;
  info.embedding_length = embedding;
  info.heads = heads;
  info.kv_heads = kv_heads;
  return info;
}

TEST(MemoryNeed, IsTheFileAndTwoNumbersOf16BitsALayerHeadAndToken) {
  GgufInfo llama_8b = head(4096, 32, std::int64_t{32} * 8);
  llama_8b.file_bytes = 4'900'000'000;

  const MemoryNeed need = memory_need(llama_8b, 8192);

  EXPECT_EQ(need.weights, 4'900'000'000U);
  EXPECT_EQ(need.kv_cache, 1'073'741'824U);  // 2 * 32 * 8 * 128 * 8192 * 2
}

TEST(MemoryNeed, TakesTheLengthOfAKeyFromTheHeadWhereItSaysOne) {
  GgufInfo info = head(1024, 4, 2);
  info.key_length = 256;
  info.value_length = 128;

  EXPECT_EQ(memory_need(info, 1000).kv_cache, 2U * (256 + 128) * 1000 * 2);
}

TEST(MemoryNeed, OfABoastfulHeadIsHugeAndNotLittle) {
  const GgufInfo info = head(std::int64_t{1} << 40, 1, std::int64_t{1} << 40);

  EXPECT_GE(memory_need(info, 1 << 20).kv_cache, std::uint64_t{1} << 59);
}

TEST(MemoryNeed, IsReadFromARealHead) {
  const test::TempDir folder;
  test::write_tiny_gguf(folder / "m.gguf");
  const GgufInfo info = read_gguf(folder / "m.gguf").value();

  EXPECT_EQ(info.kv_heads, info.heads * info.layers);
  EXPECT_EQ(memory_need(info, 100).kv_cache,
            static_cast<std::uint64_t>(2 * info.layers * info.embedding_length * 100 * 2));
}

TEST(HostMemory, IsKnownHere) { EXPECT_GT(available_memory(), 1U << 20); }

TEST(Store, ReadsAHeadOnceAndAgainWhenTheFileChanges) {
  const test::TempDir folder;
  const Store store(folder.path());
  test::write_tiny_gguf(folder / "m.gguf");
  ASSERT_EQ(store.find("m")->info.architecture, "llama");
  const auto time = std::filesystem::last_write_time(folder / "m.gguf");

  // The same size and time: not looked into again.
  const auto bytes = std::filesystem::file_size(folder / "m.gguf");
  std::ofstream(folder / "m.gguf", std::ios::binary | std::ios::in).write("XXXX", 4);
  std::filesystem::last_write_time(folder / "m.gguf", time);
  ASSERT_EQ(std::filesystem::file_size(folder / "m.gguf"), bytes);
  EXPECT_TRUE(store.find("m"));
  EXPECT_EQ(store.list().size(), 1);

  std::filesystem::last_write_time(folder / "m.gguf", time + std::chrono::seconds(1));
  EXPECT_EQ(store.find("m").error().code, ErrorCode::kCorrupt);
  EXPECT_TRUE(store.list().empty());
}

TEST(Store, ModelThatWasReplacedByAnotherIsTheOther) {
  const test::TempDir folder;
  const Store store(folder.path());
  test::write_tiny_gguf(folder / "m.gguf");
  EXPECT_EQ(store.find("m")->name, "m");

  std::ofstream(folder / "m.json") << R"({"name": "other:1b", "source": "here"})";

  EXPECT_EQ(store.find("m")->name, "other:1b");
  EXPECT_EQ(store.list().front().source, "here");
}

}  // namespace
}  // namespace minimill::models
