#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <utility>

#include "base/json.h"
#include "protocol/completions.h"
#include "protocol/openai_fields.h"

namespace minimill::protocol::completions {
namespace {

std::size_t characters_in(std::string_view text) {
  return static_cast<std::size_t>(std::ranges::count_if(
      text, [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U; }));
}

/// Four lists, each with an entry per token. `offset` is where the first token begins in the text
/// and, afterwards, where the next one will.
json::object logprobs_json(const std::vector<chat::TokenLogprob>& logprobs, std::size_t& offset) {
  json::array tokens;
  json::array token_logprobs;
  json::array top_logprobs;
  json::array text_offset;
  for (const chat::TokenLogprob& token : logprobs) {
    tokens.emplace_back(token.token);
    token_logprobs.emplace_back(token.logprob);
    json::object top;
    for (const chat::TokenLogprob& other : token.top) top[other.token] = other.logprob;
    top_logprobs.push_back(std::move(top));
    text_offset.push_back(offset);
    offset += characters_in(token.token);
  }
  return {{"tokens", std::move(tokens)},
          {"token_logprobs", std::move(token_logprobs)},
          {"top_logprobs", std::move(top_logprobs)},
          {"text_offset", std::move(text_offset)}};
}

/// There are no tools in this format: an answer that calls one has simply ended.
std::string_view finish_name(chat::FinishReason reason) {
  return openai::finish_name(reason == chat::FinishReason::kToolCalls ? chat::FinishReason::kStop
                                                                      : reason);
}

}  // namespace

std::string write_answer(const chat::ChatAnswer& answer, std::string_view id,
                         std::int64_t created_s) {
  json::value logprobs = nullptr;
  std::size_t offset = 0;
  if (!answer.logprobs().empty()) logprobs = logprobs_json(answer.logprobs(), offset);
  json::array choices;
  choices.push_back({{"text", answer.text()},
                     {"index", 0},
                     {"logprobs", std::move(logprobs)},
                     {"finish_reason", finish_name(answer.finish())}});
  return json::serialize(json::object{{"id", id},
                                      {"object", "text_completion"},
                                      {"created", created_s},
                                      {"model", answer.model()},
                                      {"choices", std::move(choices)},
                                      {"usage", openai::usage_json(answer.usage())}});
}

StreamWriter::StreamWriter(std::string_view id, std::string_view model, std::int64_t created_s,
                           bool include_usage)
    : include_usage_(include_usage) {
  head_ = R"(data: {"id":)";
  append_json_string(head_, id);
  fmt::format_to(std::back_inserter(head_), R"(,"object":"text_completion","created":{},"model":)",
                 created_s);
  append_json_string(head_, model);
}

void StreamWriter::write_chunk(std::string_view text,
                               const std::vector<chat::TokenLogprob>& logprobs,
                               std::string_view finish_reason, std::string& out) {
  out += head_;
  out += R"(,"choices":[{"text":)";
  append_json_string(out, text);
  out += R"(,"index":0,"logprobs":)";
  out += logprobs.empty() ? "null" : json::serialize(logprobs_json(logprobs, text_offset_));
  out += R"(,"finish_reason":)";
  if (finish_reason.empty()) {
    out += "null";
  } else {
    append_json_string(out, finish_reason);
  }
  out += "}]}\n\n";
}

void StreamWriter::write(const chat::ChatEvent& event, std::string& out) {
  if (const auto* text = std::get_if<chat::TextDelta>(&event)) {
    write_chunk(text->text, text->logprobs, {}, out);
  } else if (const auto* finish = std::get_if<chat::Finish>(&event)) {
    write_chunk({}, {}, finish_name(finish->reason), out);
  } else if (const auto* report = std::get_if<chat::UsageReport>(&event)) {
    usage_ = report->usage;
  }
}

void StreamWriter::finish(std::string& out) {
  if (include_usage_) {
    out += head_;
    out += R"(,"choices":[],"usage":)";
    out += json::serialize(openai::usage_json(usage_));
    out += "}\n\n";
  }
  out += "data: [DONE]\n\n";
}

}  // namespace minimill::protocol::completions
