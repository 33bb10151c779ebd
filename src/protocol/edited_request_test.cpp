// One truth: what was edited is what a backend gets, whichever protocols meet, and what was not is
// as the app sent it.

#include <gtest/gtest.h>

#include <array>
#include <functional>
#include <random>
#include <string>
#include <vector>

#include "base/json.h"
#include "protocol/anthropic.h"
#include "protocol/completions.h"
#include "protocol/ollama.h"
#include "protocol/openai.h"
#include "protocol/responses.h"

namespace minimill::protocol {
namespace {

using chat::ChatRequest;
using chat::RequestParts;

constexpr std::string_view kOpenAiBody = R"({"model":"m","vendor":"v","user":"u",
  "max_completion_tokens":9,"temperature":0.5,"top_p":0.75,"seed":3,"stop":"s",
  "presence_penalty":0.5,"frequency_penalty":0.25,"logit_bias":{"1":2},"logprobs":true,
  "top_logprobs":2,"n":2,"parallel_tool_calls":true,"reasoning_effort":"low",
  "response_format":{"type":"json_schema","json_schema":{"name":"n","schema":{"type":"object"}}},
  "tools":[{"type":"function","strange":1,"function":{"name":"f","description":"d","parameters":{"type":"object"}}}],
  "tool_choice":"auto","messages":[
  {"role":"system","content":"OLD-system"},{"role":"user","content":"OLD-user","name":"OLD-name"},
  {"role":"assistant","content":"OLD-assistant","reasoning_content":"OLD-thought",
   "tool_calls":[{"id":"c1","type":"function","function":{"name":"f","arguments":"{\"a\":\"OLD-argument\"}"}}]},
  {"role":"tool","tool_call_id":"c1","content":"OLD-result"}]})";

constexpr std::string_view kAnthropicBody = R"({"model":"m","vendor":"v","max_tokens":9,
  "temperature":0.5,"top_p":0.75,"top_k":5,"stop_sequences":["s"],"metadata":{"user_id":"u"},
  "output_config":{"effort":"low","strange":1,"format":{"type":"json_schema","schema":{"type":"object"}}},
  "tools":[{"name":"f","description":"d","input_schema":{"type":"object"},"cache_control":{"type":"ephemeral"}}],
  "tool_choice":{"type":"auto"},
  "system":[{"type":"text","text":"OLD-system","cache_control":{"type":"ephemeral"}}],"messages":[
  {"role":"user","content":"OLD-user"},
  {"role":"assistant","content":[{"type":"thinking","thinking":"OLD-thought","signature":"x"},
   {"type":"text","text":"OLD-assistant"},
   {"type":"tool_use","id":"c1","name":"f","input":{"a":"OLD-argument"}}]},
  {"role":"user","content":[{"type":"tool_result","tool_use_id":"c1","content":"OLD-result"}]}]})";

constexpr std::string_view kResponsesBody = R"({"model":"m","instructions":"OLD-system","input":[
  {"role":"user","content":"OLD-user"},{"role":"assistant","content":"OLD-assistant"},
  {"type":"function_call","call_id":"c1","name":"f","arguments":"{\"a\":\"OLD-argument\"}"},
  {"type":"function_call_output","call_id":"c1","output":"OLD-result"}]})";

constexpr std::string_view kOllamaBody = R"({"model":"m","messages":[
  {"role":"system","content":"OLD-system"},{"role":"user","content":"OLD-user"},
  {"role":"assistant","content":"OLD-assistant",
   "tool_calls":[{"function":{"name":"f","arguments":{"a":"OLD-argument"}}}]},
  {"role":"tool","tool_name":"f","content":"OLD-result"}]})";

constexpr std::string_view kCompletionsBody = R"({"model":"m","prompt":"OLD-user"})";

struct Client {
  std::string_view name;
  ChatRequest request;
};

std::vector<Client> clients() {
  return {{"openai", openai::parse_chat_request(kOpenAiBody).value()},
          {"anthropic", anthropic::parse_messages_request(kAnthropicBody).value()},
          {"responses", responses::parse_responses_request(kResponsesBody).value().chat},
          {"ollama", ollama::parse_chat_request(kOllamaBody).value().chat},
          {"completions", completions::parse_completion_request(kCompletionsBody).value()}};
}

constexpr std::array kAllTargets{Target::kLlamaServer, Target::kOpenAi, Target::kAnthropic};

std::string written(const ChatRequest& request, Target target) {
  return target == Target::kAnthropic ? anthropic::write_messages_request(request, "real", false)
                                      : openai::write_chat_request(request, "real", false, target);
}

std::string renewed(std::string text) {
  for (std::size_t at = text.find("OLD"); at != std::string::npos; at = text.find("OLD", at)) {
    text.replace(at, 3, "NEW");
  }
  return text;
}

bool says(const std::string& text, std::string_view word) {
  return text.find(word) != std::string::npos;
}

void renew(RequestParts& parts) {
  for (chat::Message& message : parts.messages) {
    for (chat::Part& part : message.parts) {
      if (auto* text = std::get_if<chat::Text>(&part)) text->text = renewed(text->text);
      if (auto* call = std::get_if<chat::ToolCall>(&part))
        call->arguments = renewed(call->arguments);
      if (auto* result = std::get_if<chat::ToolResult>(&part)) result->text = renewed(result->text);
    }
  }
}

TEST(EditedRequest, EveryMessagesNewTextIsSentAndItsOldTextIsNowhere) {
  for (const Client& client : clients()) {
    for (const Target target : kAllTargets) {
      const std::string before = written(client.request, target);
      ChatRequest request = client.request;

      request.edit(renew);

      const std::string after = written(request, target);
      const std::string where = std::string(client.name) + ": " + after;
      EXPECT_FALSE(says(after, "OLD")) << where;
      for (const char* word : {"system", "user", "assistant", "result", "argument"}) {
        const std::string old_word = std::string("OLD-") + word;
        EXPECT_EQ(says(after, renewed(old_word)), says(before, old_word)) << where;
      }
      EXPECT_TRUE(says(after, "NEW-user")) << where;
    }
  }
}

TEST(EditedRequest, CopiesOfTheUntouchedStayUntouched) {
  for (const Client& client : clients()) {
    ChatRequest edited = client.request;
    edited.edit(renew);

    EXPECT_NE(client.request.untouched(), nullptr) << client.name;
    EXPECT_EQ(edited.untouched(), nullptr) << client.name;
    EXPECT_TRUE(says(written(client.request, Target::kOpenAi), "OLD-user")) << client.name;
  }
}

TEST(EditedRequest, OfOneFieldLeavesOpenAisOthersAsTheyCame) {
  ChatRequest request = openai::parse_chat_request(kOpenAiBody).value();
  json::object arrived = json::parse(kOpenAiBody).as_object();

  request.edit([](RequestParts& parts) { *parts.sampling.seed += 1; });

  arrived["model"] = "real";
  arrived["seed"] = 4;
  EXPECT_EQ(json::parse(written(request, Target::kOpenAi)), json::value(arrived));
}

TEST(EditedRequest, OfOneFieldLeavesAnthropicsOthersAsTheyCame) {
  ChatRequest request = anthropic::parse_messages_request(kAnthropicBody).value();
  json::object arrived = json::parse(kAnthropicBody).as_object();

  request.edit([](RequestParts& parts) { parts.sampling.top_k = 7; });

  arrived["model"] = "real";
  arrived["top_k"] = 7;
  EXPECT_EQ(json::parse(written(request, Target::kAnthropic)), json::value(arrived));
}

TEST(EditedRequest, CountsWhatItSays) {
  ChatRequest request = anthropic::parse_count_request(kAnthropicBody).value();

  request.edit(renew);

  const std::string counted = anthropic::write_count_request(request, "real");
  EXPECT_FALSE(says(counted, "OLD")) << counted;
  EXPECT_TRUE(says(counted, "NEW-user")) << counted;
  EXPECT_FALSE(says(counted, "max_tokens")) << counted;
}

TEST(EditedRequest, MinimillsOwnWishesAreNoEditsAndAreHeeded) {
  ChatRequest request = openai::parse_chat_request(kOpenAiBody).value();
  request.choices = 1;
  request.logprobs = false;

  json::object sent = json::parse(written(request, Target::kOpenAi)).as_object();

  EXPECT_NE(request.untouched(), nullptr);
  EXPECT_FALSE(sent.contains("n"));
  EXPECT_FALSE(sent.contains("logprobs"));
  EXPECT_FALSE(sent.contains("top_logprobs"));
  EXPECT_EQ(sent.at("messages").at(1).at("name"), "OLD-name");  // as it came
}

// ---- each field, edited at random

using Random = std::mt19937;

double eighths(Random& random) { return static_cast<double>(random() % 8) / 8; }

template <class T>
std::optional<T> sometimes(Random& random, T value) {
  return random() % 3 == 0 ? std::nullopt : std::optional<T>(value);
}

std::string word(Random& random) { return "w" + std::to_string(random() % 1000); }

std::vector<std::string> words(Random& random) {
  std::vector<std::string> out(random() % 3);
  for (std::string& each : out) each = word(random);
  return out;
}

using Edit = std::function<void(RequestParts&, Random&)>;

/// What both protocols have words for.
std::vector<Edit> shared_edits() {
  return {
      [](RequestParts& parts, Random& random) {
        parts.messages = {chat::text_message(chat::Role::kSystem, word(random)),
                          chat::text_message(chat::Role::kUser, word(random)),
                          chat::text_message(chat::Role::kAssistant, word(random))};
        parts.messages.back().parts.emplace_back(
            chat::ToolCall{.id = word(random), .name = word(random), .arguments = R"({"a":1})"});
      },
      [](RequestParts& parts, Random& random) {
        parts.tools.push_back({.name = word(random),
                               .description = word(random),
                               .parameters = {{"type", "object"}}});
      },
      [](RequestParts& parts, Random& random) { parts.tools.front().description = word(random); },
      [](RequestParts& parts, Random& random) {
        parts.tool_choice = static_cast<chat::ToolChoice>(random() % 4);
        parts.tool_name.clear();
        if (parts.tool_choice == chat::ToolChoice::kNamed) parts.tool_name = word(random);
      },
      [](RequestParts& parts, Random& random) {
        parts.sampling.temperature = sometimes(random, eighths(random));
      },
      [](RequestParts& parts, Random& random) {
        parts.sampling.top_p = sometimes(random, eighths(random));
      },
      [](RequestParts& parts, Random& random) { parts.sampling.max_tokens = random() % 99 + 1; },
      [](RequestParts& parts, Random& random) { parts.sampling.stop = words(random); },
      [](RequestParts& parts, Random& random) {
        parts.reasoning_effort = random() % 3 == 0 ? "" : word(random);
      },
  };
}

std::vector<Edit> openai_edits() {
  std::vector<Edit> edits = shared_edits();
  edits.insert(edits.end(),
               {[](RequestParts& parts, Random& random) {
                  parts.response_format = static_cast<chat::ResponseFormat>(random() % 3);
                  parts.json_schema.clear();
                  if (parts.response_format == chat::ResponseFormat::kJsonSchema) {
                    parts.json_schema = {{"name", word(random)},
                                         {"schema", {{"title", word(random)}}}};
                  }
                },
                [](RequestParts& parts, Random& random) {
                  parts.sampling.seed = sometimes<std::int64_t>(random, random() % 9);
                },
                [](RequestParts& parts, Random& random) {
                  parts.sampling.presence_penalty = sometimes(random, eighths(random));
                },
                [](RequestParts& parts, Random& random) {
                  parts.sampling.frequency_penalty = sometimes(random, eighths(random));
                },
                [](RequestParts& parts, Random& random) {
                  parts.logit_bias.clear();
                  if (random() % 2 == 0)
                    parts.logit_bias["7"] = static_cast<std::int64_t>(random() % 9);
                },
                [](RequestParts& parts, Random& random) { parts.top_logprobs = random() % 5; },
                [](RequestParts& parts, Random& random) {
                  parts.parallel_tool_calls = sometimes(random, random() % 2 == 0);
                }});
  return edits;
}

std::vector<Edit> anthropic_edits() {
  std::vector<Edit> edits = shared_edits();
  edits.insert(edits.end(), {[](RequestParts& parts, Random& random) {
                               parts.sampling.top_k = sometimes<std::int64_t>(random, random() % 9);
                             },
                             [](RequestParts& parts, Random& random) {
                               parts.json_schema["schema"] = {{"title", word(random)}};
                             },
                             [](RequestParts& parts, Random& /*random*/) {
                               parts.response_format = chat::ResponseFormat::kText;
                               parts.json_schema.clear();
                             }});
  return edits;
}

void edit_some(ChatRequest& request, const std::vector<Edit>& edits, Random& random) {
  for (std::size_t left = random() % 4 + 1; left > 0; --left) {
    const Edit& edit = edits[random() % edits.size()];
    request.edit([&edit, &random](RequestParts& parts) { edit(parts, random); });
  }
}

constexpr unsigned kSeeds = 300;

TEST(EditedRequest, AnyOpenAiFieldReadsBackAsItWasEdited) {
  const std::vector<Edit> edits = openai_edits();
  for (unsigned seed = 0; seed < kSeeds; ++seed) {
    Random random(seed);
    for (const Target target : {Target::kOpenAi, Target::kLlamaServer}) {
      ChatRequest request = openai::parse_chat_request(kOpenAiBody).value();
      edit_some(request, edits, random);
      // A call that is demanded of llama-server is asked for otherwise: forced_call_test.cpp.
      const bool demanded = request.tool_choice() == chat::ToolChoice::kRequired ||
                            request.tool_choice() == chat::ToolChoice::kNamed;
      if (target == Target::kLlamaServer && demanded) continue;

      const std::string sent = written(request, target);
      const Result<ChatRequest> back = openai::parse_chat_request(sent);

      ASSERT_TRUE(back) << "seed " << seed << ": " << sent;
      RequestParts wanted = request.parts();
      wanted.model = "real";
      ASSERT_EQ(back->parts(), wanted) << "seed " << seed << ": " << sent;
      ASSERT_TRUE(says(sent, "vendor")) << "seed " << seed << ": " << sent;
    }
  }
}

TEST(EditedRequest, AnyAnthropicFieldReadsBackAsItWasEdited) {
  const std::vector<Edit> edits = anthropic_edits();
  for (unsigned seed = 0; seed < kSeeds; ++seed) {
    Random random(seed);
    ChatRequest request = anthropic::parse_messages_request(kAnthropicBody).value();
    edit_some(request, edits, random);
    if (request.response_format() == chat::ResponseFormat::kText) {
      request.edit([](RequestParts& parts) { parts.json_schema.clear(); });
    }

    const std::string sent = written(request, Target::kAnthropic);
    const Result<ChatRequest> back = anthropic::parse_messages_request(sent);

    ASSERT_TRUE(back) << "seed " << seed << ": " << sent;
    RequestParts wanted = request.parts();
    wanted.model = "real";
    ASSERT_EQ(back->parts(), wanted) << "seed " << seed << ": " << sent;
    ASSERT_TRUE(says(sent, "vendor")) << "seed " << seed << ": " << sent;
  }
}

TEST(EditedRequest, SamplingThatOnlyLlamaServerKnowsReachesIt) {
  ChatRequest request = openai::parse_chat_request(kOpenAiBody).value();
  request.edit([](RequestParts& parts) {
    parts.sampling.top_k = 11;
    parts.sampling.min_p = 0.25;
    parts.sampling.repeat_penalty = 1.5;
  });

  const json::value sent = json::parse(written(request, Target::kLlamaServer));

  EXPECT_EQ(sent.at("top_k"), 11);
  EXPECT_EQ(sent.at("min_p"), 0.25);
  EXPECT_EQ(sent.at("repeat_penalty"), 1.5);
}

}  // namespace
}  // namespace minimill::protocol
