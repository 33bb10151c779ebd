#include "base/json.h"

#include <gtest/gtest.h>

namespace minimill {
namespace {

TEST(Json, AcceptsOneValueWithWhiteSpaceAroundIt) {
  const auto value = parse_json(" {\"a\": [1, 2]}\r\n");

  ASSERT_TRUE(value.has_value());
  EXPECT_EQ(json::serialize(*value), R"({"a":[1,2]})");
}

TEST(Json, AcceptsABareNumber) { EXPECT_TRUE(parse_json("12").has_value()); }

TEST(Json, RefusesHalfAValue) { EXPECT_FALSE(parse_json(R"({"a": [1, )").has_value()); }

TEST(Json, RefusesASecondValueBehindTheFirst) { EXPECT_FALSE(parse_json("{} {}").has_value()); }

TEST(Json, RefusesInvalidUtf8) { EXPECT_FALSE(parse_json("\"\xff\xfe\"").has_value()); }

TEST(Json, RefusesNestingNoHonestDocumentReaches) {
  const auto value = parse_json(std::string(10'000, '['));

  ASSERT_FALSE(value.has_value());
  EXPECT_NE(value.error().message.find("nested deeper"), std::string::npos);
}

TEST(Json, EscapedStringReadsBackUnchanged) {
  const std::string text = "tab\t quote\" slash\\ bell\x07 line\n \u00e4\u6f22";
  std::string quoted;

  append_json_string(quoted, text);

  EXPECT_EQ(parse_json(quoted)->get_string(), text);
}

TEST(Fields, FirstErrorIsKeptAndNamesTheWholePath) {
  const json::object object = parse_json_object(R"({"n": "seven", "s": 7})").value();
  Fields fields(object, "messages[2].");

  fields.number_or("n", 0);
  fields.string_or("s", "");

  ASSERT_FALSE(fields.ok());
  EXPECT_EQ(fields.error().field, "messages[2].n");
  EXPECT_EQ(fields.error().message, "'messages[2].n' must be a number, not a string");
}

TEST(Fields, NumberOutOfRangeSaysTheRange) {
  const json::object object = parse_json_object(R"({"temperature": 3})").value();
  Fields fields(object);

  fields.number_or("temperature", 1, 0, 2);

  ASSERT_FALSE(fields.ok());
  EXPECT_EQ(fields.error().message, "'temperature' must be between 0 and 2, not 3");
}

TEST(Fields, FractionIsNoInteger) {
  const json::object object = parse_json_object(R"({"n": 1.5})").value();
  Fields fields(object);

  EXPECT_EQ(fields.optional_integer("n"), std::nullopt);

  EXPECT_FALSE(fields.ok());
}

TEST(Fields, NullCountsAsAbsent) {
  const json::object object = parse_json_object(R"({"stop": null})").value();
  Fields fields(object);

  EXPECT_EQ(fields.optional_array("stop"), nullptr);

  EXPECT_TRUE(fields.ok());
}

TEST(Json, NumberBeyondDoubleIsRefusedAtAnyDepth) {
  for (const char* text : {"1e400", "[1, [-1e999]]", R"({"a": {"b": 1e309}})"}) {
    EXPECT_EQ(parse_json(text).error().code, ErrorCode::kInvalidArgument) << text;
  }
}

}  // namespace
}  // namespace minimill
