#include "engine/residency.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace minimill::engine {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr std::uint64_t kGb = 1'000'000'000;

EngineNeed need(std::string file, std::uint64_t weights_gb, std::uint64_t cache_gb) {
  return {.file = std::move(file), .weights = weights_gb * kGb, .kv_cache = cache_gb * kGb};
}

Resident resident(const std::string& name, std::uint64_t gb, int used_s, bool idle = true) {
  return {.id = name,
          .name = name,
          .need = need(name, gb, 0),
          .idle = idle,
          .last_used = SteadyTime(std::chrono::seconds(used_s))};
}

TEST(Residency, NobodyGoesWhileThereIsRoom) {
  const std::vector<Resident> in = {resident("a", 3, 1), resident("b", 3, 2)};

  EXPECT_THAT(make_room("c", need("c", 4, 0), in, {.memory = 10 * kGb}).value(), IsEmpty());
}

TEST(Residency, LeastRecentlyUsedGoesFirst) {
  const std::vector<Resident> in = {resident("old", 3, 1), resident("oldest", 3, 0),
                                    resident("new", 3, 2)};

  EXPECT_THAT(make_room("c", need("c", 4, 0), in, {.memory = 10 * kGb}).value(),
              ElementsAre("oldest"));
  EXPECT_THAT(make_room("c", need("c", 7, 0), in, {.memory = 10 * kGb}).value(),
              ElementsAre("oldest", "old"));
}

TEST(Residency, NumberIsLimitedToo) {
  const std::vector<Resident> in = {resident("a", 1, 2), resident("b", 1, 1)};

  EXPECT_THAT(make_room("c", need("c", 1, 0), in, {.memory = 100 * kGb, .engines = 2}).value(),
              ElementsAre("b"));
}

TEST(Residency, WhoIsAtWorkStaysAndIsNamed) {
  const std::vector<Resident> in = {resident("busy", 6, 0, false), resident("idle", 3, 9)};

  EXPECT_THAT(make_room("c", need("c", 4, 0), in, {.memory = 10 * kGb}).value(),
              ElementsAre("idle"));
  const Error error = make_room("c", need("c", 5, 0), in, {.memory = 10 * kGb}).error();
  EXPECT_EQ(error.code, ErrorCode::kUnavailable);
  EXPECT_THAT(error.message, HasSubstr("while busy is at work"));
  EXPECT_THAT(error.hint, HasSubstr("[local] memory"));
}

TEST(Residency, ModelThatNeverFitsIsRefusedWithWhatWouldHelp) {
  const Error weights = make_room("big", need("f", 9, 2), {}, {.memory = 10 * kGb}).error();
  EXPECT_EQ(weights.code, ErrorCode::kUnsupported);
  EXPECT_THAT(weights.message, HasSubstr("takes 11.0 GB (9.0 of weights, 2.0 of context)"));
  EXPECT_THAT(weights.hint, HasSubstr("smaller model"));

  const Error context = make_room("long", need("f", 2, 9), {}, {.memory = 10 * kGb}).error();
  EXPECT_THAT(context.hint, HasSubstr("context_tokens"));
}

TEST(Residency, WeightsOfAFileCountOnceForChatAndEmbeddings) {
  const std::vector<Resident> in = {
      {.id = "m", .name = "m", .need = need("m.gguf", 6, 1), .idle = true, .last_used = {}}};

  EXPECT_THAT(make_room("m-embeddings", need("m.gguf", 6, 1), in, {.memory = 10 * kGb}).value(),
              IsEmpty());
}

TEST(Residency, SmallOneIsSparedWhereTheBigOneThatGoesAfterItIsEnough) {
  const std::vector<Resident> in = {resident("small", 1, 0), resident("big", 8, 1)};

  EXPECT_THAT(make_room("c", need("c", 8, 0), in, {.memory = 10 * kGb}).value(),
              ElementsAre("big"));
}

TEST(Residency, UnknownMemoryIsNotLimited) {
  EXPECT_THAT(make_room("c", need("c", 400, 0), {}, {.memory = 0}).value(), IsEmpty());
}

}  // namespace
}  // namespace minimill::engine
