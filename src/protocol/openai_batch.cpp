#include "protocol/openai_batch.h"

#include <fmt/format.h>

#include <utility>

#include "base/json.h"
#include "protocol/http_status.h"
#include "protocol/openai.h"
#include "protocol/upstream_text.h"

namespace minimill::protocol::openai {
namespace {

constexpr std::string_view kNameKey = "minimill_batch";
constexpr int kFirstErrorStatus = 300;

BatchState state_of(std::string_view status) {
  if (status == "failed") return BatchState::kFailed;
  if (status == "completed" || status == "expired" || status == "cancelled") {
    return BatchState::kEnded;
  }
  return status == "cancelling" ? BatchState::kCancelling : BatchState::kRunning;
}

/// The first of what is wrong with a batch that failed.
std::string failure_of(Fields& batch) {
  const json::object* errors = batch.optional_object("errors");
  const json::value* data = errors == nullptr ? nullptr : errors->if_contains("data");
  const json::array* list = data == nullptr ? nullptr : data->if_array();
  if (list == nullptr || list->empty() || !list->front().is_object()) return {};
  Fields first(list->front().get_object());
  return one_line(first.string_or("message", ""));
}

Result<BatchStatus> read_batch(const json::object& object, std::string_view text) {
  Fields fields(object);
  BatchStatus status;
  status.id = fields.required_string("id");
  status.state = state_of(fields.required_string("status"));
  status.created_s = fields.optional_integer("created_at", 0).value_or(0);
  status.input_file = fields.string_or("input_file_id", "");
  for (const char* key : {"output_file_id", "error_file_id"}) {
    const std::string file = fields.string_or(key, "");
    if (is_batch_id(file)) status.result_files.push_back(file);
  }
  if (const json::object* counts = fields.optional_object("request_counts")) {
    Fields numbers(*counts);
    status.answered = numbers.optional_integer("completed", 0).value_or(0);
    status.unanswered = numbers.optional_integer("failed", 0).value_or(0);
  }
  if (const json::object* metadata = fields.optional_object("metadata")) {
    if (const json::value* name = metadata->if_contains(kNameKey); name && name->is_string()) {
      status.name = one_line(name->get_string());
    }
  }
  if (status.state == BatchState::kFailed) status.error = failure_of(fields);
  if (!is_batch_id(status.input_file)) status.input_file.clear();
  if (!fields.ok() || !is_batch_id(status.id)) return garbage("a batch", text);
  return status;
}

Error error_of(const json::object& error) {
  Fields fields(error);
  const std::string code = fields.string_or("code", "");
  Error out;
  out.code = code == "batch_expired"     ? ErrorCode::kTimeout
             : code == "batch_cancelled" ? ErrorCode::kCancelled
                                         : ErrorCode::kUpstream;
  out.message = "not answered in the batch: " + one_line(fields.string_or("message", code));
  return out;
}

Result<chat::ChatAnswer> read_response(const json::object& response) {
  Fields fields(response);
  const auto status = static_cast<int>(fields.optional_integer("status_code", 0, 999).value_or(0));
  const json::object* body = fields.optional_object("body");
  if (body == nullptr) return fail(ErrorCode::kUpstream, "the batch's result has no body");
  std::string text = json::serialize(*body);
  if (status >= kFirstErrorStatus) {
    return std::unexpected(upstream_error("the batch", status, text, {}, 0));
  }
  return parse_answer(std::move(text));
}

}  // namespace

void append_batch_line(std::string_view custom_id, const chat::ChatRequest& request,
                       std::string_view model, const Dialect& dialect, std::string& out) {
  out += R"({"custom_id":)";
  append_json_string(out, custom_id);
  out += R"(,"method":"POST","url":"/v1/chat/completions","body":)";
  out += write_chat_request(request, model, false, Target::kOpenAi, dialect);
  out += "}\n";
}

std::string write_batch_upload(std::string_view lines, std::string_view boundary) {
  std::string body = fmt::format(
      "--{}\r\nContent-Disposition: form-data; name=\"purpose\"\r\n\r\nbatch\r\n"
      "--{}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"minimill.jsonl\"\r\n"
      "Content-Type: application/jsonl\r\n\r\n",
      boundary, boundary);
  body += lines;
  body += fmt::format("\r\n--{}--\r\n", boundary);
  return body;
}

Result<std::string> parse_file_id(std::string_view body) {
  const Result<json::object> object = parse_json_object(body);
  if (!object) return garbage("a file", body);
  Fields fields(*object);
  std::string id = fields.required_string("id");
  if (!fields.ok() || !is_batch_id(id)) return garbage("a file", body);
  return id;
}

std::string write_batch_creation(std::string_view input_file, std::string_view name) {
  return json::serialize(json::object{{"input_file_id", input_file},
                                      {"endpoint", "/v1/chat/completions"},
                                      {"completion_window", "24h"},
                                      {"metadata", {{kNameKey, name}}}});
}

Result<BatchStatus> parse_batch(std::string_view body) {
  const Result<json::object> object = parse_json_object(body);
  if (!object) return garbage("a batch", body);
  return read_batch(*object, body);
}

Result<BatchList> parse_batch_list(std::string_view body) {
  const Result<json::object> object = parse_json_object(body);
  if (!object) return garbage("a list of batches", body);
  Fields fields(*object);
  const json::array* data = fields.optional_array("data");
  const bool more = fields.bool_or("has_more", false);
  if (data == nullptr || !fields.ok()) return garbage("a list of batches", body);
  BatchList list;
  for (const json::value& each : *data) {
    if (!each.is_object()) continue;
    Result<BatchStatus> batch = read_batch(each.get_object(), "");
    if (batch) list.batches.push_back(std::move(*batch));
  }
  if (more && !list.batches.empty()) list.next = list.batches.back().id;
  return list;
}

Result<BatchResult> read_batch_result(std::string_view line) {
  const Result<json::object> object = parse_json_object(line);
  if (!object) return garbage("a batch's result", line);
  Fields fields(*object);
  std::string id = fields.required_string("custom_id");
  const json::object* error = fields.optional_object("error");
  const json::object* response = fields.optional_object("response");
  if (!fields.ok()) return garbage("a batch's result", line);
  if (error != nullptr) return BatchResult{std::move(id), std::unexpected(error_of(*error))};
  if (response != nullptr) return BatchResult{std::move(id), read_response(*response)};
  return BatchResult{std::move(id),
                     fail(ErrorCode::kUpstream, "the batch's result has neither answer nor error")};
}

}  // namespace minimill::protocol::openai
