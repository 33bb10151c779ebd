#include "base/json.h"
#include "base/rfc3339.h"
#include "protocol/ollama.h"
#include "protocol/ollama_answer_fields.h"

namespace minimill::protocol::ollama {

StreamWriter::StreamWriter(Shape shape, std::string_view model) : shape_(shape), model_(model) {
  head_ = R"({"model":)";
  append_json_string(head_, model);
  head_ += R"(,"created_at":")";
}

void StreamWriter::write_piece(std::string_view text, std::string_view thinking,
                               const std::vector<chat::TokenLogprob>& logprobs, WallTime now,
                               std::string& out) const {
  out += head_;
  out += rfc3339(now);
  out +=
      shape_ == Shape::kChat ? R"(","message":{"role":"assistant","content":)" : R"(","response":)";
  append_json_string(out, text);
  if (!thinking.empty()) {
    out += R"(,"thinking":)";
    append_json_string(out, thinking);
  }
  out += shape_ == Shape::kChat ? R"(},"done":false)" : R"(,"done":false)";
  if (!logprobs.empty()) {
    out += R"(,"logprobs":)";
    out += json::serialize(logprobs_json(logprobs));
  }
  out += "}\n";
}

void StreamWriter::write(const chat::ChatEvent& event, WallTime now, std::string& out) {
  if (const auto* text = std::get_if<chat::TextDelta>(&event)) {
    write_piece(text->text, {}, text->logprobs, now, out);
  } else if (const auto* thinking = std::get_if<chat::ReasoningDelta>(&event)) {
    write_piece({}, thinking->text, {}, now, out);
  } else {
    chat::accumulate(gathered_, event);
  }
}

void StreamWriter::finish(WallTime now, const Durations& durations, std::string& out) {
  if (!gathered_.tool_calls.empty()) {
    json::object calls = answer_json(shape_, model_, now, gathered_);
    calls["done"] = false;
    out += json::serialize(calls) + '\n';
  }
  json::object last = answer_json(shape_, model_, now, {});
  add_ending(gathered_.finish, gathered_.usage, durations, last);
  out += json::serialize(last) + '\n';
}

}  // namespace minimill::protocol::ollama
