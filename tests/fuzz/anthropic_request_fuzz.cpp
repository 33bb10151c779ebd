// Whatever an app sends, it is refused with an error that is valid JSON, or it is a request that
// both protocols can write as valid JSON.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "base/json.h"
#include "protocol/anthropic.h"
#include "protocol/openai.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace minimill;
  const std::string_view body(reinterpret_cast<const char*>(data), size);
  Result<chat::ChatRequest> request = protocol::anthropic::parse_messages_request(body);
  if (!request) {
    if (!parse_json_object(protocol::openai::write_error(request.error()))) std::abort();
    if (!parse_json_object(protocol::anthropic::write_error(request.error()))) std::abort();
    return 0;
  }
  // What passes through is as deep as it came, so it can be read again.
  if (!protocol::anthropic::parse_messages_request(
          protocol::anthropic::write_messages_request(*request, "m", true)))
    std::abort();
  request->edit([](chat::RequestParts& parts) { parts.reasoning_effort += 'x'; });
  (void)protocol::openai::write_chat_request(*request, "m", true);
  (void)protocol::anthropic::write_messages_request(*request, "m", true);
  request = chat::ChatRequest(request->parts());
  // From its parts it may be deeper than a reader goes, by what the other protocol wraps around.
  (void)protocol::openai::write_chat_request(*request, "m", true);
  (void)protocol::anthropic::write_messages_request(*request, "m", true);
  return 0;
}
