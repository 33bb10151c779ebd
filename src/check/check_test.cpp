#include "check/check.h"

#include <gtest/gtest.h>

#include "base/json.h"

namespace minimill::check {
namespace {

bool passes(std::string_view spec, std::string_view answer) {
  return Check::parse(parse_json(spec).value()).value().run(answer).passed;
}

TEST(Check, EqualsIgnoresCaseAndOuterWhiteSpaceAlone) {
  constexpr auto kSpec = R"({"type": "equals", "value": "card_arrival"})";

  EXPECT_TRUE(passes(kSpec, "  Card_Arrival\n"));
  EXPECT_FALSE(passes(kSpec, "card_arrival."));
}

TEST(Check, ContainsWantsEveryPart) {
  constexpr auto kSpec = R"({"type": "contains", "value": ["Tuesday", "10:30"]})";

  EXPECT_TRUE(passes(kSpec, "On tuesday at 10:30."));
  EXPECT_FALSE(passes(kSpec, "On Tuesday."));
}

TEST(Check, RegexIsFoundAnywhere) {
  constexpr auto kSpec = R"({"type": "regex", "value": "\\bINV-\\d+\\b"})";

  EXPECT_TRUE(passes(kSpec, "It is INV-204."));
  EXPECT_FALSE(passes(kSpec, "It is INV-x."));
}

TEST(Check, FinalNumberIsTheLastAndIgnoresSeparators) {
  constexpr auto kSpec = R"({"type": "final_number", "value": "1,240"})";

  EXPECT_TRUE(passes(kSpec, "First 7, then: Answer: $1,240.00"));
  EXPECT_TRUE(passes(kSpec, "1240."));
  EXPECT_FALSE(passes(kSpec, "1240 or 12"));
  EXPECT_FALSE(passes(kSpec, "no idea"));
  EXPECT_TRUE(passes(R"({"type": "final_number", "value": -3})", "It is -3"));
  EXPECT_FALSE(passes(R"({"type": "final_number", "value": -3})", "It is 3"));
}

TEST(Check, FinalNumberTellsASignFromADash) {
  for (const auto& [answer, value] :
       std::initializer_list<std::pair<const char*, double>>{{"Answer: -$44.00", -44},
                                                             {"\u221244", -44},
                                                             {"- 44", 44},
                                                             {"10-44", 44},
                                                             {"due 2026-03", 3},
                                                             {"(-44)", -44},
                                                             {"it grew by 44%.", 44},
                                                             {"about .5", 0.5}}) {
    const json::value spec{{"type", "final_number"}, {"value", value}};

    EXPECT_TRUE(Check::parse(spec).value().run(answer).passed) << answer;
  }
}

TEST(Check, JsonFieldsWantsAllOfThemAndNoOther) {
  constexpr auto kSpec = R"({"type": "json_fields", "value": {"people": "4", "time": "8 pm"}})";

  EXPECT_TRUE(passes(kSpec, "Sure:\n```json\n{\"time\": \" 8 pm\", \"people\": \"4\"}\n```"));
  EXPECT_FALSE(passes(kSpec, R"({"people": "4"})"));
  EXPECT_FALSE(passes(kSpec, R"({"people": "4", "time": "8 pm", "date": "x"})"));
  EXPECT_FALSE(passes(kSpec, R"({"people": "4", "time": )"));
}

TEST(Check, JsonFieldsCompareNumbersByValueAndStringsExactly) {
  constexpr auto kSpec = R"({"type": "json_fields", "value": {"n": [1, 2], "who": "Ann"}})";

  EXPECT_TRUE(passes(kSpec, R"({"who": "Ann ", "n": [1.0, 2]})"));
  EXPECT_FALSE(passes(kSpec, R"({"who": "ann", "n": [1, 2]})"));
  EXPECT_FALSE(passes(kSpec, R"({"who": "Ann", "n": ["1", "2"]})"));
}

TEST(Check, ObjectIsFoundBehindBracesThatBeginNone) {
  constexpr auto kSpec = R"({"type": "json_fields", "value": {"a": "}{"}})";

  EXPECT_TRUE(passes(kSpec, R"({{"a": "}{"}})"));
  EXPECT_TRUE(passes(kSpec, R"(Use { to open. {"a": "}{"})"));
  EXPECT_TRUE(passes(kSpec, R"(I say {"hello}. {"a": "}{"} and {"a": 2})"));
}

TEST(Check, HostileAnswersAreReadInBoundedTime) {
  constexpr auto kSpec = R"({"type": "json_fields", "value": {"a": 1}})";

  EXPECT_FALSE(passes(kSpec, std::string(1 << 20, '{')));
  EXPECT_FALSE(passes(kSpec, "{\"a\": " + std::string(1 << 20, '[')));
  EXPECT_FALSE(passes(R"({"type": "final_number", "value": 1})", std::string(1 << 20, '9')));
}

TEST(Check, JsonSchemaValidatesTheObjectInTheAnswer) {
  constexpr auto kSpec =
      R"({"type": "json_schema", "value": {"type": "object", "required": ["n"], "properties": {"n": {"type": "integer"}}}})";

  EXPECT_TRUE(passes(kSpec, R"(Here {not json} it is: {"n": 3})"));
  EXPECT_FALSE(passes(kSpec, R"({"n": "3"})"));
  EXPECT_FALSE(passes(kSpec, "[]"));
}

TEST(Check, BadSpecificationsNameTheirPart) {
  for (const auto& [spec, field] : std::initializer_list<std::pair<const char*, const char*>>{
           {R"("equals")", "check"},
           {R"({"type": "equal", "value": "x"})", "check.type"},
           {R"({"type": "equals"})", "check.value"},
           {R"({"type": "equals", "value": 3})", "check.value"},
           {R"({"type": "contains", "value": ["a", ""]})", "check.value"},
           {R"({"type": "regex", "value": "("})", "check.value"},
           {R"({"type": "final_number", "value": "none"})", "check.value"},
           {R"({"type": "json_schema", "value": {"type": 7}})", "check.value"},
           {R"({"type": "json_schema", "value": {"$ref": "http://evil.example/s"}})",
            "check.value"}}) {
    const Result<Check> check = Check::parse(parse_json(spec).value());

    ASSERT_FALSE(check.has_value()) << spec;
    EXPECT_EQ(check.error().field, field) << spec;
  }
}

}  // namespace
}  // namespace minimill::check
