#include <fmt/format.h>

#include <utility>

#include "base/json.h"
#include "protocol/completions.h"
#include "protocol/request_limits.h"

namespace minimill::protocol::completions {
namespace {

using chat::ChatRequest;
using chat::RequestDraft;

std::unexpected<Error> refuse(std::string_view field, std::string_view why, std::string hint) {
  return std::unexpected(
      fail(ErrorCode::kUnsupported, fmt::format("'{}' {}", field, why), std::move(hint))
          .error()
          .with_field(std::string(field)));
}

/// A text, or a list with one text.
Result<std::string> parse_prompt(const json::value* prompt) {
  if (prompt == nullptr) return fail_field("prompt", "'prompt' is required");
  if (prompt->is_string()) return std::string(prompt->get_string());
  const json::array* list = prompt->if_array();
  if (list == nullptr || list->empty()) return fail_field("prompt", "'prompt' must be a text");
  const json::value& first = list->front();
  if (first.is_number() || first.is_array()) {
    return refuse("prompt", "given as tokens is not supported: backends have other vocabularies",
                  "send it as text");
  }
  if (!first.is_string()) return fail_field("prompt[0]", "'prompt[0]' must be a text");
  if (list->size() > 1) {
    return refuse("prompt", "with several texts is not supported", "send a request for each");
  }
  return std::string(first.get_string());
}

Result<> refuse_unsupported(Fields& fields) {
  if (fields.bool_or("echo", false)) {
    return refuse("echo", "is not supported: backends answer without the prompt",
                  "put the prompt before the answer yourself");
  }
  if (!fields.string_or("suffix", "").empty()) {
    return refuse("suffix", "is not supported: nothing is filled in before it",
                  "say in the prompt what stands before and after the gap");
  }
  for (const char* several : {"n", "best_of"}) {
    if (fields.optional_integer(several, 1, 128).value_or(1) > 1) {
      return refuse(several, "above 1 is not supported", "send the request several times");
    }
  }
  return {};
}

void read_stop(Fields& fields, chat::Sampling& sampling) {
  const json::value* stop = fields.find("stop");
  if (stop == nullptr) return;
  if (stop->is_string()) {
    sampling.stop.emplace_back(stop->get_string());
    return;
  }
  const json::array* list = stop->if_array();
  if (list == nullptr || list->size() > kMaxStops) {
    fields.reject("stop", fmt::format("must be a string or at most {} strings", kMaxStops));
    return;
  }
  for (const json::value& each : *list) {
    const json::string* text = each.if_string();
    if (text == nullptr) {
      fields.reject("stop", "must hold strings only");
      return;
    }
    sampling.stop.emplace_back(*text);
  }
}

void read_logit_bias(Fields& fields, RequestDraft& request) {
  const json::object* bias = fields.optional_object("logit_bias");
  if (bias == nullptr) return;
  bool good = bias->size() <= kMaxLogitBias;
  for (const auto& [token, value] : *bias) {
    const double weight = value.is_number() ? value.to_number<double>() : 101;
    good = good && !token.empty() && token.size() <= 10 && weight >= -100 && weight <= 100 &&
           std::string_view(token).find_first_not_of("0123456789") == std::string_view::npos;
  }
  if (!good) {
    fields.reject("logit_bias", fmt::format("must have at most {} tokens' numbers, each with a "
                                            "number between -100 and 100",
                                            kMaxLogitBias));
    return;
  }
  request.logit_bias = *bias;
}

void read_sampling(Fields& fields, chat::Sampling& sampling) {
  sampling.max_tokens =
      fields.optional_integer("max_tokens", 1, kMaxAnswerTokens).value_or(kDefaultMaxTokens);
  sampling.temperature = fields.optional_number("temperature", 0, 2);
  sampling.top_p = fields.optional_number("top_p", 0, 1);
  sampling.seed = fields.optional_integer("seed");
  sampling.presence_penalty = fields.optional_number("presence_penalty", -2, 2);
  sampling.frequency_penalty = fields.optional_number("frequency_penalty", -2, 2);
  // Not OpenAI's, but llama-server's and vLLM's.
  sampling.top_k = fields.optional_integer("top_k", -1, 1 << 24);
  sampling.min_p = fields.optional_number("min_p", 0, 1);
  read_stop(fields, sampling);
}

void read_options(Fields& fields, RequestDraft& request) {
  request.model = fields.required_string("model");
  if (request.model.empty() || request.model.size() > kMaxModelBytes) {
    fields.reject("model", fmt::format("must have 1 to {} bytes", kMaxModelBytes));
  }
  request.stream = fields.bool_or("stream", false);
  const auto logprobs = fields.optional_integer("logprobs", 0, kMaxLogprobs);
  request.logprobs = logprobs.has_value();
  request.top_logprobs = logprobs.value_or(0);
  (void)fields.optional_string("user");  // lives on in the body; a wrong one is still wrong
  read_sampling(fields, request.sampling);
  read_logit_bias(fields, request);
}

}  // namespace

Result<ChatRequest> parse_completion_request(std::string_view text) {
  Result<json::object> body = parse_json_object(text);
  if (!body) return std::unexpected(std::move(body.error()));
  Fields fields(*body);
  RequestDraft request;
  read_options(fields, request);
  if (!fields.ok()) return std::unexpected(std::move(fields).error());
  if (Result<> read = refuse_unsupported(fields); !read) {
    return std::unexpected(std::move(read.error()));
  }
  if (!fields.ok()) return std::unexpected(std::move(fields).error());
  if (const json::object* options = fields.optional_object("stream_options")) {
    Fields inner(*options, "stream_options.");
    request.include_usage = inner.bool_or("include_usage", false);
    if (!inner.ok()) return std::unexpected(std::move(inner).error());
  }
  if (!fields.ok()) return std::unexpected(std::move(fields).error());
  Result<std::string> prompt = parse_prompt(fields.find("prompt"));
  if (!prompt) return std::unexpected(std::move(prompt.error()));
  request.messages.push_back(chat::text_message(chat::Role::kUser, std::move(*prompt)));
  request.emulated.emplace_back("prompt sent as a user's message");
  return ChatRequest(std::move(request),
                     {.protocol = chat::Protocol::kCompletions, .body = std::move(*body)});
}

}  // namespace minimill::protocol::completions
