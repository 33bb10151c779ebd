#include "check/json_schema.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <string>

#include "base/json.h"

namespace minimill::check {
namespace {

Result<JsonSchema> parse(std::string_view schema) {
  return JsonSchema::parse(parse_json_object(schema).value());
}

Result<> validate(std::string_view schema, std::string_view value) {
  return parse(schema).value().validate(parse_json(value).value());
}

bool holds(std::string_view schema, std::string_view value) {
  return validate(schema, value).has_value();
}

TEST(JsonSchema, EachKeywordTakesWhatFitsAndRefusesWhatDoesNot) {
  struct Case {
    const char* schema;
    const char* fits;
    const char* does_not;
  };
  for (
      const Case& each : std::initializer_list<Case>{
          {R"({"type": "integer"})", "3.0", "3.5"},
          {R"({"type": ["string", "null"]})", "null", "1"},
          {R"({"const": 1})", "1.0", "true"},
          {R"({"enum": ["a", 2]})", "2", R"("b")"},
          {R"({"minimum": 2, "maximum": 3})", "3", "3.1"},
          {R"({"exclusiveMinimum": 2})", "2.1", "2"},
          {R"({"exclusiveMaximum": 2})", "1.9", "2"},
          {R"({"multipleOf": 0.1})", "0.3", "0.35"},
          {R"({"minLength": 2, "maxLength": 2})", R"("é€")", R"("abc")"},
          {R"({"pattern": "^\\d+$"})", R"("12")", R"("1a")"},
          {R"({"format": "date"})", R"("2026-11-20")", R"("20.11.2026")"},
          {R"({"format": "date-time"})", R"("2026-11-20T08:00:00Z")", R"("2026-11-20")"},
          {R"({"format": "email"})", R"("a@b.example")", R"("a b.example")"},
          {R"({"minItems": 1, "maxItems": 2})", "[1]", "[]"},
          {R"({"items": {"type": "number"}})", "[1, 2]", R"([1, "2"])"},
          {R"({"items": [{"type": "number"}], "additionalItems": false})", "[1]", "[1, 2]"},
          {R"({"contains": {"const": 7}})", "[1, 7]", "[1]"},
          {R"({"uniqueItems": true})", "[1, 2]", "[1, 1.0]"},
          {R"({"required": ["a"]})", R"({"a": null})", R"({"b": 1})"},
          {R"({"properties": {"a": {"type": "number"}}})", R"({"a": 1})", R"({"a": "1"})"},
          {R"({"properties": {"a": true}, "additionalProperties": false})", R"({"a": 1})",
           R"({"b": 1})"},
          {R"({"additionalProperties": {"type": "number"}})", R"({"b": 1})", R"({"b": "1"})"},
          {R"({"patternProperties": {"^n_": {"type": "number"}}})", R"({"n_a": 1})",
           R"({"n_a": "1"})"},
          {R"({"propertyNames": {"pattern": "^[a-z]+$"}})", R"({"a": 1})", R"({"A": 1})"},
          {R"({"minProperties": 1, "maxProperties": 1})", R"({"a": 1})", "{}"},
          {R"({"allOf": [{"minimum": 1}, {"maximum": 2}]})", "2", "3"},
          {R"({"anyOf": [{"const": 1}, {"const": 2}]})", "2", "3"},
          {R"({"oneOf": [{"minimum": 1}, {"minimum": 2}]})", "1", "3"},
          {R"({"not": {"const": 1}})", "2", "1"},
          {R"({"if": {"const": 1}, "then": true, "else": {"const": 2}})", "2", "3"},
          {R"({"definitions": {"n": {"const": 1}}, "properties": {"a": {"$ref": "#/definitions/n"}}})",
           R"({"a": 1})", R"({"a": 2})"},
      }) {
    EXPECT_TRUE(holds(each.schema, each.fits)) << each.schema << " and " << each.fits;
    EXPECT_FALSE(holds(each.schema, each.does_not)) << each.schema << " and " << each.does_not;
  }
}

TEST(JsonSchema, ViolationSaysWhereAndWhat) {
  const Result<> result =
      validate(R"({"properties": {"steps": {"items": {"properties": {"days": {"minimum": 1}}}}}})",
               R"({"steps": [{"days": 2}, {"days": 0}]})");

  ASSERT_FALSE(result.has_value());
  EXPECT_EQ(result.error().message, "steps.1.days: 0 is not at least 1");
}

TEST(JsonSchema, TreeMayReferToItself) {
  constexpr auto kTree =
      R"({"required": ["n"], "properties": {"next": {"$ref": "#"}, "n": {"type": "integer"}}})";

  EXPECT_TRUE(holds(kTree, R"({"n": 1, "next": {"n": 2, "next": {"n": 3}}})"));
  EXPECT_FALSE(holds(kTree, R"({"n": 1, "next": {"n": 2, "next": {"n": "3"}}})"));
}

TEST(JsonSchema, WhatIsNoSchemaIsRefusedNamingThePlace) {
  for (const auto& [schema, where] : std::initializer_list<std::pair<const char*, const char*>>{
           {R"({"requird": ["a"]})", "#/requird"},
           {R"({"properties": {"a": {"type": "float"}}})", "#/properties/a/type"},
           {R"({"properties": []})", "#/properties"},
           {R"({"items": [3]})", "#/items/0"},
           {R"({"required": [1]})", "#/required"},
           {R"({"minLength": -1})", "#/minLength"},
           {R"({"pattern": "(["})", "#/pattern"},
           {R"({"patternProperties": {"(": true}})", "#/patternProperties/("},
           {R"({"format": "colour"})", "#/format"},
           {R"({"$ref": "other.json"})", "#/$ref"},
           {R"({"$ref": "#/definitions/none"})", "#/$ref"},
           {R"({"default": 3, "$ref": "#/default"})", "#/$ref"}}) {
    const Result<JsonSchema> parsed = parse(schema);

    ASSERT_FALSE(parsed.has_value()) << schema;
    EXPECT_TRUE(parsed.error().message.starts_with(std::string(where) + ":"))
        << parsed.error().message;
  }
}

TEST(JsonSchema, WhatClientLibrariesWriteIsTakenInAnAppsRequest) {
  // As pydantic and zod write them, later drafts' keywords and all.
  const json::object schema =
      parse_json_object(
          R"json({"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "Order",
              "type": "object", "additionalProperties": false, "required": ["id", "who"],
              "$defs": {"Who": {"type": "object", "properties": {"name": {"type": "string"}}}},
              "properties": {"id": {"type": "integer", "format": "int64", "deprecated": true},
                             "code": {"type": "string", "pattern": "^(?=.*x)"},
                             "note": {"anyOf": [{"type": "string"}, {"type": "null"}]},
                             "who": {"$ref": "#/$defs/Who"}}})json")
          .value();
  EXPECT_FALSE(JsonSchema::parse(schema).has_value());

  const Result<JsonSchema> taken = JsonSchema::parse(schema, Unknown::kIgnored);

  ASSERT_TRUE(taken.has_value()) << taken.error().to_string();
  EXPECT_TRUE(taken->validate(
      parse_json(R"({"id": 1, "who": {"name": "x"}, "note": null, "code": "y"})").value()));
  EXPECT_FALSE(taken->validate(parse_json(R"({"id": 1, "who": {"name": 2}})").value()));
  EXPECT_FALSE(taken->validate(parse_json(R"({"id": 1})").value()));
}

// Each of these took exponential time or the whole stack in the library we had before.

TEST(JsonSchema, PatternsTakeLinearTimeWhateverTheyAre) {
  const std::string many(100'000, 'a');

  EXPECT_FALSE(holds(R"({"pattern": "(a+)+$"})", '"' + many + "!\""));
  EXPECT_TRUE(holds(R"({"pattern": "^(a|b)*$"})", '"' + many + '"'));
}

TEST(JsonSchema, ReferenceToItselfEndsWithTheBudget) {
  for (const char* schema :
       {R"({"$ref": "#"})", R"({"allOf": [{"$ref": "#"}]})", R"({"not": {"$ref": "#"}})",
        R"({"if": {"$ref": "#"}, "then": true})"}) {
    const Result<> result = validate(schema, "1");

    ASSERT_FALSE(result.has_value()) << schema;
    EXPECT_EQ(result.error().code, ErrorCode::kTooLarge) << schema;
  }
}

TEST(JsonSchema, SchemaThatDoublesAtEveryLevelEndsWithTheBudget) {
  std::string definitions = R"("s0": {"const": 0})";
  for (int i = 1; i < 40; ++i) {
    definitions += fmt::format(
        R"(, "s{0}": {{"anyOf": [{{"$ref": "#/definitions/s{1}"}}, {{"$ref": "#/definitions/s{1}"}}]}})",
        i, i - 1);
  }
  const std::string schema = fmt::format(
      R"({{"definitions": {{{}}}, "not": {{"$ref": "#/definitions/s39"}}}})", definitions);

  const Result<> result = validate(schema, "1");

  ASSERT_FALSE(result.has_value());
  EXPECT_EQ(result.error().code, ErrorCode::kTooLarge);
}

TEST(JsonSchema, ManyItemsThatMustDifferEndWithTheBudget) {
  std::string items = "[0";
  for (int i = 1; i < 20'000; ++i) items += fmt::format(",{}", i);

  const Result<> result = validate(R"({"uniqueItems": true})", items + "]");

  ASSERT_FALSE(result.has_value());
  EXPECT_EQ(result.error().code, ErrorCode::kTooLarge);
}

}  // namespace
}  // namespace minimill::check
