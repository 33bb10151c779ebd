#include "protocol/anthropic_batch.h"

#include <utility>

#include "base/json.h"
#include "protocol/anthropic.h"
#include "protocol/upstream_text.h"

namespace minimill::protocol::anthropic {
namespace {

BatchState state_of(std::string_view status) {
  if (status == "ended") return BatchState::kEnded;
  return status == "canceling" ? BatchState::kCancelling : BatchState::kRunning;
}

/// {"type": "error", "error": {…}}, or the inner object alone.
std::string failure_of(const json::object& result) {
  const json::value* error = result.if_contains("error");
  if (error == nullptr || !error->is_object()) return {};
  std::string message = error_message(error->get_object());
  return message.empty() ? error_message(result) : message;
}

Result<chat::ChatAnswer> read_result(const json::object& result) {
  Fields fields(result);
  const std::string type = fields.string_or("type", "");
  if (type == "expired") {
    return fail(ErrorCode::kTimeout, "not answered in the batch: it expired");
  }
  if (type == "canceled") {
    return fail(ErrorCode::kCancelled, "not answered in the batch: it was cancelled");
  }
  if (type == "errored") {
    return fail(ErrorCode::kUpstream, "not answered in the batch: " + failure_of(result));
  }
  const json::object* message = fields.optional_object("message");
  if (type != "succeeded" || message == nullptr) {
    return fail(ErrorCode::kUpstream, "the batch's result has neither answer nor error");
  }
  return parse_answer(json::serialize(*message));
}

}  // namespace

void append_batch_request(std::string_view custom_id, const chat::ChatRequest& request,
                          std::string_view model, std::string& out) {
  out += R"({"custom_id":)";
  append_json_string(out, custom_id);
  out += R"(,"params":)";
  out += write_messages_request(request, model, false);
  out += '}';
}

Result<BatchStatus> parse_batch(std::string_view body) {
  const Result<json::object> object = parse_json_object(body);
  if (!object) return garbage("a batch", body);
  Fields fields(*object);
  BatchStatus status;
  status.id = fields.required_string("id");
  status.state = state_of(fields.required_string("processing_status"));
  if (const json::object* counts = fields.optional_object("request_counts")) {
    Fields numbers(*counts);
    const auto count = [&numbers](std::string_view key) {
      return numbers.optional_integer(key, 0, std::int64_t{1} << 40).value_or(0);
    };
    status.answered = count("succeeded");
    status.unanswered = count("errored") + count("canceled") + count("expired");
  }
  if (!fields.ok() || !is_batch_id(status.id)) return garbage("a batch", body);
  return status;
}

Result<BatchResult> read_batch_result(std::string_view line) {
  const Result<json::object> object = parse_json_object(line);
  if (!object) return garbage("a batch's result", line);
  Fields fields(*object);
  std::string id = fields.required_string("custom_id");
  const json::object* result = fields.optional_object("result");
  if (!fields.ok()) return garbage("a batch's result", line);
  if (result == nullptr) {
    return BatchResult{std::move(id), fail(ErrorCode::kUpstream, "the batch's result is empty")};
  }
  return BatchResult{std::move(id), read_result(*result)};
}

}  // namespace minimill::protocol::anthropic
