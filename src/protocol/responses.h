#pragma once

// OpenAI's Responses wire format, server side.
// https://platform.openai.com/docs/api-reference/responses
//
//   Result<ResponsesRequest> request = parse_responses_request(body);
//   insert_history(*request, history);             // where it names a previous response
//   … request->chat goes the way of every chat …
//   write_response(head, answer), or ResponseStreamWriter per event
//
// Pure functions over text: ids and times come in. Errors are written by openai::write_error.

#include <boost/json.hpp>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "chat/chat_event.h"
#include "chat/chat_request.h"

namespace minimill::protocol::responses {

struct ResponsesRequest {
  /// The instructions, if any, as the first message, then the input's items as messages.
  chat::ChatRequest chat;
  bool has_instructions = false;     // chat.messages[0] is they
  std::string previous_response_id;  // empty: a conversation begins
  bool store = true;
  boost::json::array input_items;  // as they are stored and shown; see normalised()
  /// The fields of the response that repeat the request: instructions, tools, metadata, … with
  /// what stands for those it leaves out.
  boost::json::object echo;
};

/// The body of POST /v1/responses. What OpenAI alone can do (its tools, files, prompts and
/// conversations, work in the background) is kUnsupported, naming the field; what is done otherwise
/// than asked is noted in chat.emulated. Unknown fields stay in chat.body.
Result<ResponsesRequest> parse_responses_request(std::string_view body);

/// Puts what was said before between the instructions, which are never inherited, and the input.
void insert_history(ResponsesRequest& request, std::vector<chat::Message> history);

/// What a response says besides the model's words.
struct ResponseHead {
  std::string id;     // "resp_…"; its items' ids are made of it
  std::string model;  // the one that answers
  std::int64_t created_s = 0;
  boost::json::object echo;  // the request's
};

/// The response object of a whole answer. Its output is the reasoning, the message and the function
/// calls, whichever there are; an answer of nothing at all is an empty message.
boost::json::object response_object(const ResponseHead& head, const chat::ChatAnswer& answer);
std::string write_response(const ResponseHead& head, const chat::ChatAnswer& answer);

}  // namespace minimill::protocol::responses
