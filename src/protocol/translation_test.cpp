#include "protocol/translation.h"

#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <ostream>
#include <sstream>

#include "base/json.h"
#include "protocol/anthropic.h"
#include "protocol/completions.h"
#include "protocol/ollama.h"
#include "protocol/openai.h"
#include "protocol/responses.h"

namespace minimill::protocol {
namespace {

using chat::Protocol;

constexpr std::string_view kProtocols_[] = {"openai", "anthropic", "responses", "ollama",
                                            "completions"};
constexpr std::string_view kTargets_[] = {"llama", "openai", "anthropic"};

/// One of the table's cells: what becomes of a field of that protocol at that kind of backend.
struct Cell {
  const FieldRule* rule;
  Protocol protocol;
  Target target;
  std::string_view field() const { return rule->names[static_cast<std::size_t>(protocol)]; }
};

void PrintTo(const Cell& cell, std::ostream* out) { *out << cell.field(); }

std::string name_of(const testing::TestParamInfo<Cell>& info) {
  std::string name(kProtocols_[static_cast<std::size_t>(info.param.protocol)]);
  for (const char c : "_" + std::string(info.param.field()) + "_to_") {
    name += std::isalnum(static_cast<unsigned char>(c)) != 0 ? c : '_';
  }
  return name + std::string(kTargets_[static_cast<std::size_t>(info.param.target)]);
}

std::vector<Cell> cells() {
  std::vector<Cell> all;
  for (const FieldRule& rule : field_rules()) {
    for (std::size_t p = 0; p < kProtocols; ++p) {
      if (rule.names[p].empty()) continue;
      for (int t = 0; t < kTargets; ++t) {
        all.push_back({&rule, static_cast<Protocol>(p), static_cast<Target>(t)});
      }
    }
  }
  return all;
}

/// A value that asks for something, by the field's name; "protocol/field" where protocols differ.
const std::map<std::string_view, std::string_view>& samples() {
  static const std::map<std::string_view, std::string_view> values{
      {"model", R"("auto")"},
      {"messages", R"([{"role": "user", "content": "something else"}])"},
      {"input", R"("something else")"},
      {"prompt", R"("something else")"},
      {"system", R"("Be brief.")"},
      {"instructions", R"("Be brief.")"},
      {"stream", "true"},
      {"ollama/stream", "false"},  // it streams unless told otherwise
      {"stream_options", R"({"include_usage": true})"},
      {"max_tokens", "64"},
      {"max_completion_tokens", "64"},
      {"max_output_tokens", "64"},
      {"options.num_predict", "64"},
      {"temperature", "0.5"},
      {"options.temperature", "0.5"},
      {"top_p", "0.75"},
      {"options.top_p", "0.75"},
      {"top_k", "40"},
      {"options.top_k", "40"},
      {"options.min_p", "0.125"},
      {"options.repeat_penalty", "1.25"},
      {"seed", "7"},
      {"options.seed", "7"},
      {"stop", R"(["END"])"},
      {"stop_sequences", R"(["END"])"},
      {"options.stop", R"(["END"])"},
      {"presence_penalty", "0.5"},
      {"options.presence_penalty", "0.5"},
      {"frequency_penalty", "0.5"},
      {"options.frequency_penalty", "0.5"},
      {"logit_bias", R"({"50": -100})"},
      {"logprobs", "true"},
      {"completions/logprobs", "2"},
      {"top_logprobs", "2"},
      {"n", "2"},
      {"best_of", "2"},
      {"echo", "true"},
      {"suffix", R"("end")"},
      {"tools",
       R"([{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}])"},
      {"anthropic/tools", R"([{"name": "f", "input_schema": {"type": "object"}}])"},
      {"responses/tools",
       R"([{"type": "function", "name": "f", "parameters": {"type": "object"}}])"},
      {"tool_choice", R"("required")"},
      {"anthropic/tool_choice", R"({"type": "any"})"},
      {"parallel_tool_calls", "false"},
      {"tool_choice.disable_parallel_tool_use", "true"},
      {"response_format",
       R"({"type": "json_schema", "json_schema": {"name": "s", "schema": {"type": "object"}}})"},
      {"output_format", R"({"type": "json_schema", "schema": {"type": "object"}})"},
      {"output_config.format", R"({"type": "json_schema", "schema": {"type": "object"}})"},
      {"text.format", R"({"type": "json_schema", "name": "s", "schema": {"type": "object"}})"},
      {"format", R"({"type": "object"})"},
      {"reasoning_effort", R"("low")"},
      {"reasoning.effort", R"("low")"},
      {"output_config.effort", R"("low")"},
      {"think", R"("low")"},
      {"thinking", R"({"type": "enabled", "budget_tokens": 2048})"},
      {"user", R"("u-1")"},
      {"metadata", R"({"user_id": "u-1"})"},
      {"store", "true"},
      {"previous_response_id", R"("resp_1")"},
      {"background", "true"},
      {"truncation", R"("auto")"},
      {"service_tier", R"("auto")"},
      {"prompt_cache_key", R"("k")"},
      {"safety_identifier", R"("s")"},
      {"verbosity", R"("low")"},
      {"text.verbosity", R"("low")"},
      {"prediction", R"({"type": "content", "content": "x"})"},
      {"modalities", R"(["text", "audio"])"},
      {"audio", R"({"voice": "alloy", "format": "wav"})"},
      {"web_search_options", "{}"},
      {"mcp_servers", R"([{"type": "url", "url": "https://x.example", "name": "x"}])"},
      {"container", R"("c")"},
      {"context_management", R"({"edits": []})"},
      {"keep_alive", R"("5m")"},
  };
  return values;
}

/// What else has to be there for the field to be allowed.
std::string_view companions(Protocol protocol, std::string_view field) {
  if (field == "top_logprobs") {
    return protocol == Protocol::kResponses ? R"({"include": ["message.output_text.logprobs"]})"
                                            : R"({"logprobs": true})";
  }
  const bool of_tools = field.starts_with("tool_choice") || field == "parallel_tool_calls";
  if (of_tools && protocol == Protocol::kAnthropic) {
    return R"({"tools": [{"name": "f", "input_schema": {"type": "object"}}],
               "tool_choice": {"type": "auto"}})";
  }
  if (of_tools && protocol == Protocol::kResponses) {
    return R"({"tools": [{"type": "function", "name": "f", "parameters": {"type": "object"}}]})";
  }
  if (of_tools) {
    return R"({"tools": [{"type": "function",
               "function": {"name": "f", "parameters": {"type": "object"}}}]})";
  }
  if (field == "stream_options") return R"({"stream": true})";
  if (field == "thinking") return R"({"max_tokens": 4096})";
  return "{}";
}

json::object plain_body(Protocol protocol) {
  constexpr std::string_view kMessages =
      R"({"model": "m", "messages": [{"role": "user", "content": "x"}]})";
  switch (protocol) {
    case Protocol::kAnthropic: {
      json::object body = json::parse(kMessages).as_object();
      body["max_tokens"] = 10;
      return body;
    }
    case Protocol::kResponses:
      return {{"model", "m"}, {"input", "x"}};
    case Protocol::kCompletions:
      return {{"model", "m"}, {"prompt", "x"}};
    default:
      return json::parse(kMessages).as_object();
  }
}

void set(json::object& body, std::string_view path, json::value value) {
  json::object* object = &body;
  for (std::size_t dot = path.find('.'); dot != std::string_view::npos; dot = path.find('.')) {
    json::value& inner = (*object)[path.substr(0, dot)];
    if (!inner.is_object()) inner.emplace_object();
    object = &inner.get_object();
    path.remove_prefix(dot + 1);
  }
  (*object)[path] = std::move(value);
}

const json::value* at(const json::object& body, std::string_view path) {
  const json::object* object = &body;
  while (true) {
    const std::size_t dot = path.find('.');
    const json::value* value = object->if_contains(path.substr(0, dot));
    if (dot == std::string_view::npos || value == nullptr) return value;
    object = value->if_object();
    if (object == nullptr) return nullptr;
    path.remove_prefix(dot + 1);
  }
}

Result<chat::ChatRequest> parse(Protocol protocol, const json::object& body) {
  const std::string text = json::serialize(body);
  switch (protocol) {
    case Protocol::kOpenAi:
      return openai::parse_chat_request(text);
    case Protocol::kAnthropic:
      return anthropic::parse_messages_request(text);
    case Protocol::kCompletions:
      return completions::parse_completion_request(text);
    case Protocol::kResponses: {
      Result<responses::ResponsesRequest> request = responses::parse_responses_request(text);
      if (!request) return std::unexpected(std::move(request.error()));
      return std::move(request->chat);
    }
    case Protocol::kOllama: {
      Result<ollama::Request> request = body.contains("prompt")
                                            ? ollama::parse_generate_request(text)
                                            : ollama::parse_chat_request(text);
      if (!request) return std::unexpected(std::move(request.error()));
      return std::move(request->chat);
    }
  }
  return fail(ErrorCode::kInternal, "no such protocol");
}

json::object written(const chat::ChatRequest& request, Target target) {
  const std::string body =
      target == Target::kAnthropic
          ? anthropic::write_messages_request(request, "theirs", request.stream)
          : openai::write_chat_request(request, "theirs", request.stream, target);
  return json::parse(body).as_object();
}

bool contains(const std::vector<std::string>& names, std::string_view name) {
  return std::ranges::find(names, name) != names.end();
}

class TranslationCell : public testing::TestWithParam<Cell> {
 protected:
  void SetUp() override {
    const Cell& cell = GetParam();
    body = plain_body(cell.protocol);
    const bool generates = field() == "system" || field() == "prompt";
    if (cell.protocol == Protocol::kOllama && generates) body = {{"model", "m"}, {"prompt", "x"}};
    const json::value beside = json::parse(companions(cell.protocol, field()));
    for (const auto& [key, value] : beside.get_object()) body[key] = value;
    const Result<chat::ChatRequest> without = parse(cell.protocol, body);
    ASSERT_TRUE(without.has_value()) << without.error().to_string();
    before = written(*without, cell.target);
    if (field() == "cache_control") {
      body["messages"] = json::parse(
          R"([{"role": "user", "content": [{"type": "text", "text": "x", "cache_control": {"type": "ephemeral"}}]}])");
    } else {
      set(body, field(), sample());
    }
  }

  std::string_view field() const { return GetParam().field(); }

  json::value sample() const {
    const std::string special =
        std::string(kProtocols_[static_cast<std::size_t>(GetParam().protocol)]) + "/" +
        std::string(field());
    auto found = samples().find(special);
    if (found == samples().end()) found = samples().find(field());
    EXPECT_NE(found, samples().end()) << "no sample for " << field();
    return found == samples().end() ? json::value() : json::parse(found->second);
  }

  json::object body;    // with the field
  json::object before;  // what the backend gets without it
};

TEST_P(TranslationCell, IsAsTheTableSays) {
  const Cell& cell = GetParam();
  const Treatment how = treatment(*cell.rule, cell.protocol, cell.target);
  const Result<chat::ChatRequest> request = parse(cell.protocol, body);
  // What no backend can do is refused as early as it is read.
  Result<Fit> fit;
  if (request) {
    fit = fit_request(*request, cell.target);
  } else {
    fit = std::unexpected(request.error());
  }

  if (how == Treatment::kRefused) {
    ASSERT_FALSE(fit.has_value());
    EXPECT_EQ(fit.error().code, ErrorCode::kUnsupported);
    const json::value beside = json::parse(companions(cell.protocol, field()));
    EXPECT_TRUE(fit.error().field == field() || beside.get_object().contains(fit.error().field))
        << fit.error().field;
    return;
  }
  ASSERT_TRUE(fit.has_value()) << fit.error().to_string();
  const json::object after = written(*request, cell.target);
  EXPECT_EQ(contains(fit->left_out, field()), how == Treatment::kLeftOut);
  EXPECT_EQ(contains(fit->emulated, field()), how == Treatment::kEmulated);
  switch (how) {
    case Treatment::kLeftOut:
      EXPECT_EQ(after, before);
      break;
    case Treatment::kPassed:
      if (field() == "cache_control") {
        EXPECT_EQ(after.at("messages"), body.at("messages"));
      } else {
        ASSERT_NE(at(after, field()), nullptr) << json::serialize(after);
        EXPECT_EQ(*at(after, field()), *at(body, field()));
      }
      break;
    case Treatment::kTranslated:
      if (field() == "model") {
        EXPECT_EQ(after.at("model"), "theirs");
      } else if (field() == "stream_options") {
        EXPECT_TRUE(request->include_usage || cell.protocol == Protocol::kResponses);
      } else {
        EXPECT_NE(after, before) << "the backend hears nothing of it";
      }
      break;
    default:
      break;
  }
}

INSTANTIATE_TEST_SUITE_P(Every, TranslationCell, testing::ValuesIn(cells()), name_of);

TEST(Translation, WhatNobodyKnowsGoesAlongToTheSameProtocolAndIsNamedElsewhere) {
  json::object body = plain_body(Protocol::kOpenAi);
  body["new_in_2027"] = true;
  const Result<chat::ChatRequest> request = parse(Protocol::kOpenAi, body);
  ASSERT_TRUE(request.has_value());

  EXPECT_TRUE(written(*request, Target::kOpenAi).contains("new_in_2027"));
  EXPECT_TRUE(fit_request(*request, Target::kOpenAi)->left_out.empty());
  EXPECT_FALSE(written(*request, Target::kAnthropic).contains("new_in_2027"));
  EXPECT_TRUE(contains(fit_request(*request, Target::kAnthropic)->left_out, "new_in_2027"));
}

TEST(Translation, NeutralValueAsksForNothing) {
  json::object body = plain_body(Protocol::kOpenAi);
  body["presence_penalty"] = 0;
  body["n"] = 1;
  body["logit_bias"] = json::object();
  const Result<chat::ChatRequest> request = parse(Protocol::kOpenAi, body);
  ASSERT_TRUE(request.has_value());

  const Result<Fit> fit = fit_request(*request, Target::kAnthropic);

  ASSERT_TRUE(fit.has_value()) << fit.error().to_string();
  EXPECT_TRUE(fit->emulated.empty());
  EXPECT_TRUE(fit->left_out.empty());
}

TEST(Translation, DocumentIsWhatTheTableSays) {
  std::ifstream file(MINIMILL_DOCS "/translation.md");
  std::stringstream text;
  text << file.rdbuf();

  EXPECT_NE(text.str().find(translation_tables()), std::string::npos)
      << "docs/translation.md is out of date; it should hold:\n"
      << translation_tables();
}

}  // namespace
}  // namespace minimill::protocol
