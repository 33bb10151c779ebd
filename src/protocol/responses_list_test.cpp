#include <gtest/gtest.h>

#include <string>

#include "base/json.h"
#include "protocol/responses.h"

namespace minimill::protocol::responses {
namespace {

json::array items() {
  return parse_json(R"([{"id":"a"},{"id":"b"},{"id":"c"}])").value().as_array();
}

TEST(ResponsesList, NewestComeFirst) {
  EXPECT_EQ(write_input_items(items(), {}).value(),
            R"({"object":"list","first_id":"c","last_id":"a","has_more":false,)"
            R"("data":[{"id":"c"},{"id":"b"},{"id":"a"}]})");
}

TEST(ResponsesList, PagesFollowEachOther) {
  EXPECT_EQ(write_input_items(items(), {.limit = 2, .after = {}, .newest_first = false}).value(),
            R"({"object":"list","first_id":"a","last_id":"b","has_more":true,)"
            R"("data":[{"id":"a"},{"id":"b"}]})");
  EXPECT_EQ(write_input_items(items(), {.limit = 2, .after = "b", .newest_first = false}).value(),
            R"({"object":"list","first_id":"c","last_id":"c","has_more":false,)"
            R"("data":[{"id":"c"}]})");
  EXPECT_EQ(write_input_items(items(), {.limit = 2, .after = "a", .newest_first = true}).value(),
            R"({"object":"list","first_id":null,"last_id":null,"has_more":false,"data":[]})");
}

TEST(ResponsesList, PagesThatCannotBeAreNamed) {
  EXPECT_EQ(write_input_items(items(), {.limit = 0, .after = {}}).error().field, "limit");
  EXPECT_EQ(write_input_items(items(), {.limit = 101, .after = {}}).error().field, "limit");
  EXPECT_EQ(write_input_items(items(), {.limit = 1, .after = "d"}).error().field, "after");
}

TEST(ResponsesList, DeletionIsToldByItsId) {
  EXPECT_EQ(write_deleted("resp_1"), R"({"id":"resp_1","object":"response","deleted":true})");
}

}  // namespace
}  // namespace minimill::protocol::responses
