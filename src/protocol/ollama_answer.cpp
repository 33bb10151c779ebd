#include "base/json.h"
#include "protocol/ollama.h"
#include "protocol/ollama_answer_fields.h"
#include "protocol/utf8.h"

namespace minimill::protocol::ollama {

std::string write_answer(const chat::ChatAnswer& answer, Shape shape, WallTime created_at,
                         const Durations& durations) {
  json::object written = answer_json(shape, answer.model(), created_at, answer.parts());
  add_ending(answer.finish(), answer.usage(), durations, written);
  if (!answer.logprobs().empty()) written["logprobs"] = logprobs_json(answer.logprobs());
  return json::serialize(written);
}

std::string write_loaded(Shape shape, std::string_view model, WallTime created_at, bool unloaded) {
  json::object written = answer_json(shape, model, created_at, {});
  written["done"] = true;
  written["done_reason"] = unloaded ? "unload" : "load";
  return json::serialize(written);
}

std::string write_error(const Error& error) {
  return json::serialize(json::object{{"error", valid_utf8(error.to_string())}});
}

std::string write_stream_error(const Error& error) { return write_error(error) + '\n'; }

}  // namespace minimill::protocol::ollama
