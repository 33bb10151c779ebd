// Whatever an app sends, it is refused with an error that is valid JSON, or it is a request whose
// stored items read back as the same messages, that every backend's protocol can write, and whose
// answer, whole or streamed, is one response.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/json.h"
#include "protocol/anthropic.h"
#include "protocol/openai.h"
#include "protocol/responses.h"
#include "protocol/responses_items.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace minimill;
  const std::string_view body(reinterpret_cast<const char*>(data), size);
  Result<protocol::responses::ResponsesRequest> request =
      protocol::responses::parse_responses_request(body);
  if (!request) {
    if (!parse_json_object(protocol::openai::write_error(request.error()))) std::abort();
    return 0;
  }

  std::vector<chat::Message> said = request->chat.messages();
  if (request->has_instructions) said.erase(said.begin());
  const auto stored = protocol::responses::messages_of(request->input_items, "input");
  if (!stored || *stored != said) std::abort();

  (void)protocol::openai::write_chat_request(request->chat, "m", true);
  (void)protocol::anthropic::write_messages_request(request->chat, "m", true);

  const protocol::responses::ResponseHead head{
      .id = "resp_1", .model = request->chat.model(), .created_s = 1, .echo = request->echo};
  protocol::responses::ResponseStreamWriter writer(head);
  chat::AnswerParts answer;
  std::string frames;
  const chat::ChatEvent event = chat::TextDelta{request->chat.messages().front().text()};
  chat::accumulate(answer, event);
  writer.write(event, frames);
  writer.finish(frames);
  const json::object whole = protocol::responses::response_object(head, chat::ChatAnswer(answer));
  if (json::serialize(whole) != json::serialize(writer.response())) std::abort();
  return 0;
}
