// Each kind of content in each place it may stand in, to each kind of backend.

#include <gtest/gtest.h>

#include <string>

#include "base/json.h"
#include "protocol/anthropic.h"
#include "protocol/http_status.h"
#include "protocol/openai.h"
#include "protocol/responses.h"
#include "protocol/translation.h"

namespace minimill::protocol {
namespace {

constexpr const char* kPng = "data:image/png;base64,iVBORw0KGgo=";
constexpr const char* kPdf = "data:application/pdf;base64,JVBERi0=";

json::object to_openai(const chat::ChatRequest& request, Target target = Target::kOpenAi,
                       const Dialect& dialect = {}) {
  return json::parse(openai::write_chat_request(request, "m", false, target, dialect)).as_object();
}

json::object to_claude(const chat::ChatRequest& request) {
  return json::parse(anthropic::write_messages_request(request, "m", false)).as_object();
}

chat::ChatRequest openai_request(std::string_view fields) {
  return openai::parse_chat_request(R"({"model":"m",)" + std::string(fields) + "}").value();
}

chat::ChatRequest openai_part(std::string_view part) {
  return openai_request(R"("messages":[{"role":"user","content":[)" + std::string(part) + "]}]");
}

chat::ChatRequest claude_request(std::string_view messages) {
  return anthropic::parse_messages_request(R"({"model":"m","max_tokens":9,"messages":[)" +
                                           std::string(messages) + "]}")
      .value();
}

responses::ResponsesRequest response_request(std::string_view fields) {
  return responses::parse_responses_request(R"({"model":"m",)" + std::string(fields) + "}").value();
}

chat::ChatRequest claude_result(std::string_view block) {
  return claude_request(R"({"role":"assistant","content":[
      {"type":"tool_use","id":"t1","name":"f","input":{}}]},
      {"role":"user","content":[{"type":"tool_result","tool_use_id":"t1","content":[)" +
                        std::string(block) + R"(]},{"type":"text","text":"well?"}]})");
}

TEST(ContentKinds, PictureInAToolsResultReachesOpenAiAfterTheResult) {
  const json::object body = to_openai(claude_result(
      R"({"type":"image","source":{"type":"base64","media_type":"image/png","data":"iVBORw0KGgo="}})"));

  const json::array& messages = body.at("messages").as_array();
  ASSERT_EQ(messages.size(), 3U);
  EXPECT_EQ(messages[1].at("role"), "tool");
  EXPECT_EQ(messages[2].at("role"), "user");
  EXPECT_EQ(messages[2].at("content").at(1).at("image_url").at("url"), kPng);
  EXPECT_EQ(messages[2].at("content").at(2).at("text"), "well?");
}

TEST(ContentKinds, PictureInAFunctionsOutputReachesEverybody) {
  const responses::ResponsesRequest request = response_request(R"("input":[
      {"role":"user","content":"look"},
      {"type":"function_call","call_id":"c1","name":"f","arguments":"{}"},
      {"type":"function_call_output","call_id":"c1","output":[
        {"type":"input_image","image_url":"data:image/png;base64,iVBORw0KGgo="}]}])");

  EXPECT_NE(json::serialize(to_openai(request.chat)).find(kPng), std::string::npos);
  const json::object claude = to_claude(request.chat);
  EXPECT_EQ(claude.at("messages").at(2).at("content").at(0).at("content").at(0).at("type"),
            "image");
}

TEST(ContentKinds, BlockThatOnlyClaudeKnowsIsRefusedByItsPlaceElsewhere) {
  const chat::ChatRequest request = claude_result(R"({"type":"search_result","title":"x"})");

  EXPECT_TRUE(fit_request(request, Target::kAnthropic).has_value());
  const Result<Fit> fit = fit_request(request, Target::kOpenAi);
  ASSERT_FALSE(fit.has_value());
  EXPECT_EQ(fit.error().field, "messages[1].content[0].content[0].type");
}

TEST(ContentKinds, OwnBlockSurvivesAnEdit) {
  chat::ChatRequest request = claude_request(
      R"({"role":"user","content":[{"type":"search_result","title":"x"},{"type":"text","text":"y"}]})");

  request.edit([](chat::RequestParts& parts) {
    parts.messages.push_back(chat::text_message(chat::Role::kUser, "z"));
  });

  EXPECT_EQ(to_claude(request).at("messages").at(0).at("content").at(0).at("title"), "x");
}

TEST(ContentKinds, AppsOwnProtocolRefusesNothing) {
  for (
      const char* part :
      {R"({"type":"file","file":{"filename":"a.pdf","file_data":"data:application/pdf;base64,JVBERi0="}})",
       R"({"type":"file","file":{"file_id":"f"}})",
       R"({"type":"input_audio","input_audio":{"data":"UklGRg==","format":"wav"}})",
       R"({"type":"of_next_year"})"}) {
    const chat::ChatRequest request = openai_part(part);
    EXPECT_TRUE(fit_request(request, Target::kOpenAi).has_value()) << part;
    EXPECT_EQ(to_openai(request).at("messages").at(0).at("content").at(0), json::parse(part));
  }
  const chat::ChatRequest document = claude_request(
      R"({"role":"user","content":[{"type":"document","source":{"type":"base64","media_type":"application/pdf","data":"JVBERi0="}}]})");
  EXPECT_TRUE(fit_request(document, Target::kAnthropic).has_value());
}

TEST(ContentKinds, DocumentsAreTranslatedBothWaysAndRefusedByTheDevice) {
  const chat::ChatRequest file = openai_part(
      R"({"type":"file","file":{"filename":"a.pdf","file_data":"data:application/pdf;base64,JVBERi0="}})");
  const json::value block = to_claude(file).at("messages").at(0).at("content").at(0);
  EXPECT_EQ(block.at("type"), "document");
  EXPECT_EQ(block.at("source").at("media_type"), "application/pdf");
  EXPECT_FALSE(fit_request(file, Target::kLlamaServer).has_value());

  const chat::ChatRequest document = claude_request(
      R"({"role":"user","content":[{"type":"document","title":"a.pdf","source":{"type":"base64","media_type":"application/pdf","data":"JVBERi0="}}]})");
  const json::object written = to_openai(document);
  const json::value& part = written.at("messages").at(0).at("content").at(0);
  EXPECT_EQ(part.at("file").at("file_data"), kPdf);
  EXPECT_EQ(part.at("file").at("filename"), "a.pdf");
}

TEST(ContentKinds, DocumentSentAsAPictureIsADocumentToClaude) {
  const chat::ChatRequest request = openai_part(
      R"({"type":"image_url","image_url":{"url":"data:application/pdf;base64,JVBERi0="}})");

  EXPECT_EQ(to_claude(request).at("messages").at(0).at("content").at(0).at("type"), "document");
}

TEST(ContentKinds, BlankStopSequencesAreKeptFromClaudeAndNamed) {
  const chat::ChatRequest request =
      openai_request(R"("stop":["\n","END"],"messages":[{"role":"user","content":"go"}])");

  EXPECT_EQ(to_claude(request).at("stop_sequences"), json::array{"END"});
  EXPECT_EQ(fit_request(request, Target::kAnthropic)->left_out.size(), 1U);
  EXPECT_TRUE(fit_request(request, Target::kOpenAi)->left_out.empty());
}

TEST(ToolKinds, HostedToolsOfResponsesAreLeftOutAndNamed) {
  const responses::ResponsesRequest request = response_request(R"("input":[
      {"role":"user","content":"go"},{"type":"web_search_call","id":"w"}],"tools":[
      {"type":"function","name":"f","parameters":{"type":"object"}},{"type":"web_search"},
      {"type":"namespace","name":"n","tools":[]}])");

  const Result<Fit> fit = fit_request(request.chat, Target::kOpenAi);

  ASSERT_TRUE(fit.has_value()) << fit.error().to_string();
  EXPECT_EQ(fit->left_out,
            (std::vector<std::string>{"tools[1] (web_search)", "tools[2] (namespace)",
                                      "input[1] (web_search_call)"}));
  EXPECT_EQ(to_openai(request.chat).at("tools").as_array().size(), 1U);
}

TEST(ToolKinds, CustomToolIsAFunctionOfOneStringThereAndBack) {
  const responses::ResponsesRequest request = response_request(R"("input":[
      {"role":"user","content":"go"},
      {"type":"custom_tool_call","call_id":"c1","name":"apply_patch","input":"x"},
      {"type":"custom_tool_call_output","call_id":"c1","output":"y"}],
      "tools":[{"type":"custom","name":"apply_patch"}])");

  const json::object body = to_openai(request.chat);
  EXPECT_EQ(body.at("messages").at(1).at("tool_calls").at(0).at("function").at("arguments"),
            R"({"input":"x"})");
  EXPECT_EQ(body.at("tools").at(0).at("function").at("name"), "apply_patch");

  const responses::ResponseHead head{.id = "resp_1",
                                     .model = "m",
                                     .created_s = 0,
                                     .echo = {},
                                     .custom_tools = request.custom_tools};
  chat::AnswerParts answer;
  answer.tool_calls = {{"c2", "apply_patch", R"({"input":"*** Begin"})"}};
  const json::object response = responses::response_object(head, chat::ChatAnswer(answer));
  EXPECT_EQ(response.at("output").at(0).at("type"), "custom_tool_call");
  EXPECT_EQ(response.at("output").at(0).at("input"), "*** Begin");

  responses::ResponseStreamWriter writer(head);
  std::string out;
  writer.write(chat::ToolCallDelta{0, "c2", "apply_patch", R"({"input":"*** )"}, out);
  writer.write(chat::ToolCallDelta{0, "", "", R"(Begin"})"}, out);
  writer.finish(out);
  EXPECT_NE(out.find("response.custom_tool_call_input.done"), std::string::npos);
  EXPECT_EQ(out.find("function_call_arguments"), std::string::npos);
  EXPECT_EQ(writer.response().at("output").at(0).at("input"), "*** Begin");
}

TEST(ToolKinds, AllowedToolsAreTheOnlyOnesElsewhere) {
  const chat::ChatRequest request = openai_request(R"("messages":[{"role":"user","content":"go"}],
      "tools":[{"type":"function","function":{"name":"f"}},
               {"type":"function","function":{"name":"g"}}],
      "tool_choice":{"type":"allowed_tools","allowed_tools":{"mode":"auto",
        "tools":[{"type":"function","function":{"name":"g"}}]}})");

  EXPECT_EQ(to_openai(request).at("tools").as_array().size(), 2U);
  EXPECT_EQ(to_claude(request).at("tools").as_array().size(), 1U);
  const json::object local = to_openai(request, Target::kLlamaServer);
  EXPECT_EQ(local.at("tools").as_array().size(), 1U);
  EXPECT_FALSE(local.contains("tool_choice"));
}

TEST(ToolKinds, StrictReachesOpenAiAndIsNamedAtClaude) {
  const responses::ResponsesRequest request = response_request(
      R"("input":"go","tools":[{"type":"function","name":"f","strict":true,"parameters":{}}])");

  EXPECT_EQ(to_openai(request.chat).at("tools").at(0).at("function").at("strict"), true);
  EXPECT_EQ(fit_request(request.chat, Target::kAnthropic)->left_out,
            std::vector<std::string>{"tools[].strict"});
}

TEST(Dialects, LimitGoesByItsNewerNameWhereTheProviderWantsIt) {
  const Dialect newer{.max_completion_tokens = true};
  const chat::ChatRequest theirs = claude_request(R"({"role":"user","content":"go"})");
  const chat::ChatRequest own =
      openai_request(R"("max_tokens":99,"messages":[{"role":"user","content":"go"}])");

  for (const chat::ChatRequest& request : {theirs, own}) {
    const json::object body = to_openai(request, Target::kOpenAi, newer);
    EXPECT_FALSE(body.contains("max_tokens"));
    EXPECT_TRUE(body.contains("max_completion_tokens"));
    EXPECT_TRUE(to_openai(request).contains("max_tokens"));
  }
}

TEST(Dialects, NoReasoningIsSaidOnlyWhereTheModelKnowsIt) {
  const responses::ResponsesRequest request =
      response_request(R"("input":"go","reasoning":{"effort":"none"})");

  EXPECT_FALSE(to_openai(request.chat).contains("reasoning_effort"));
  const Dialect knows{.effort_none = true};
  EXPECT_EQ(to_openai(request.chat, Target::kOpenAi, knows).at("reasoning_effort"), "none");
}

TEST(Dialects, EngineGetsOneSystemMessageAtTheBeginning) {
  const responses::ResponsesRequest request = response_request(
      R"("instructions":"I","input":[{"role":"user","content":"hi"},{"role":"developer","content":"D"}])");

  const json::object body = to_openai(request.chat, Target::kLlamaServer);
  ASSERT_EQ(body.at("messages").as_array().size(), 2U);
  EXPECT_EQ(body.at("messages").at(0).at("content"), "I\nD");
  const Dialect strict{.one_system_message = true};
  EXPECT_EQ(to_openai(request.chat, Target::kOpenAi, strict).at("messages"), body.at("messages"));
  EXPECT_EQ(to_openai(request.chat).at("messages").as_array().size(), 3U);
}

TEST(Compaction, SummaryComesAsOneItemAndIsReadAgain) {
  const responses::ResponsesRequest request = response_request(
      R"("input":[{"role":"user","content":"I am Ann."},{"type":"compaction_trigger"}])");
  ASSERT_EQ(request.summary, responses::Summary::kItem);
  EXPECT_EQ(request.chat.messages().size(), 2U);

  const responses::ResponseHead head{
      .id = "resp_1", .model = "m", .created_s = 0, .echo = {}, .summary = request.summary};
  responses::ResponseStreamWriter writer(head);
  std::string out;
  writer.write(chat::TextDelta{"Ann is here."}, out);
  writer.write(chat::Finish{}, out);
  writer.finish(out);
  const json::array& output = writer.response().at("output").as_array();
  ASSERT_EQ(output.size(), 1U);
  EXPECT_EQ(output[0].at("type"), "compaction");

  const responses::ResponsesRequest next =
      response_request(R"("input":[)" + json::serialize(output[0]) + "]");
  EXPECT_NE(next.chat.messages()[0].text().find("Ann is here."), std::string::npos);
}

TEST(StreamFaults, KeepAlivesBlanksAndHalfCharactersAreReadOver) {
  openai::StreamReader reader;
  std::vector<chat::ChatEvent> events;
  for (
      const char* data :
      {"", "{\"id\":\"x\"}", R"({"choices":[{"index":0,"delta":{"content":"a\ud83d"}}]})",
       R"({"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"name":"f","arguments":"{}"}}]},"finish_reason":"tool_calls"}]})",
       "[DONE] "}) {
    const Result<> read = reader.read(data, events);
    ASSERT_TRUE(read.has_value()) << data << read.error().to_string();
  }

  EXPECT_TRUE(reader.done());
  EXPECT_EQ(std::get<chat::TextDelta>(events.at(0)).text, "a\xef\xbf\xbd");
  EXPECT_TRUE(std::get<chat::ToolCallDelta>(events.at(1)).id.starts_with("call_"));
}

TEST(ContextError, EverybodysWordsAreOneErrorInTheClientsOwn) {
  for (
      const char* body :
      {R"({"error":{"type":"exceed_context_size_error","message":"request exceeds the available context size","n_prompt_tokens":9000,"n_ctx":4096}})",
       R"({"error":{"code":"context_length_exceeded","message":"This model's maximum context length is 4096 tokens. However, your messages resulted in 9000 tokens."}})",
       R"({"type":"error","error":{"type":"invalid_request_error","message":"prompt is too long: 9000 tokens > 4096 maximum"}})"}) {
    const Error error = upstream_error("x", 400, body, "", 0);
    EXPECT_EQ(http_status(error), 400);
    EXPECT_NE(anthropic::write_error(error).find("prompt is too long: 9000 tokens > 4096 maximum"),
              std::string::npos)
        << body;
    EXPECT_NE(openai::write_error(error).find("\"context_length_exceeded\""), std::string::npos);
  }
}

}  // namespace
}  // namespace minimill::protocol
