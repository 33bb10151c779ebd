// Whatever a backend sends, line by line as SSE data, its events keep chat_event.h's order and can
// be written again; and the whole input as an answer does no harm.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "protocol/openai.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace minimill;
  std::string_view rest(reinterpret_cast<const char*>(data), size);
  const auto answer = protocol::openai::parse_answer(std::string(rest));
  if (!answer && !parse_json(protocol::openai::write_error(answer.error()))) std::abort();
  protocol::openai::StreamReader reader;
  protocol::openai::StreamWriter writer("id", "m", 0, true);
  std::vector<chat::ChatEvent> events;
  while (!rest.empty()) {
    const std::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(line.size() + 1, rest.size()));
    const Result<> read = reader.read(line, events);
    if (read) continue;
    if (!parse_json(protocol::openai::write_error(read.error()))) std::abort();
    break;
  }
  bool finished = false;
  std::string out;
  chat::AnswerParts gathered;
  for (const chat::ChatEvent& event : events) {
    if (finished && !std::holds_alternative<chat::UsageReport>(event)) std::abort();
    finished = finished || std::holds_alternative<chat::Finish>(event);
    writer.write(event, out);
    chat::accumulate(gathered, event);
  }
  writer.finish(out);
  if (!parse_json(protocol::openai::write_answer(chat::ChatAnswer(gathered), "id", 0)))
    std::abort();
  return 0;
}
