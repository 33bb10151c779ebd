// Whatever an app asks to be decided, it is refused with an error that is valid JSON, or each of
// its questions is a chat that every backend's protocol can write, whose answer by any of its
// options is read as that option, and the whole answer is JSON.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/json.h"
#include "chat/closed_question.h"
#include "protocol/anthropic.h"
#include "protocol/decisions.h"
#include "protocol/openai.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace minimill;
  namespace decisions = protocol::decisions;
  const std::string_view body(reinterpret_cast<const char*>(data), size);
  Result<decisions::DecisionRequest> request = decisions::parse_decision_request(body);
  if (!request) {
    if (!parse_json_object(protocol::openai::write_error(request.error()))) std::abort();
    return 0;
  }

  std::vector<decisions::Answer> answers;
  for (const decisions::Question& question : request->questions) {
    const chat::ChatRequest chat = decisions::ask(*request, question);
    (void)protocol::openai::write_chat_request(chat, "m", true);
    (void)protocol::anthropic::write_messages_request(chat, "m", true);

    const std::vector<std::string> labels = decisions::labels_of(question);
    const std::size_t said = size % labels.size();
    chat::AnswerParts parts;
    parts.text = chat::closed_answer(labels[said]);
    const chat::ChatAnswer answer(std::move(parts));
    Result<decisions::Answer> read = decisions::read_answer(question, answer);
    if (!read || read->p.size() != labels.size()) std::abort();
    if (std::ranges::max_element(read->p) - read->p.begin() != static_cast<std::ptrdiff_t>(said)) {
      std::abort();
    }
    answers.push_back(std::move(*read));
  }
  if (!parse_json_object(decisions::write_decision(*request, answers, "m", {}))) std::abort();
  return 0;
}
