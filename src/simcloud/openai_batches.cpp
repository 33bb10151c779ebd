#include "simcloud/openai_batches.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <set>
#include <utility>

#include "protocol/http_status.h"
#include "protocol/openai.h"
#include "simcloud/multipart.h"

namespace minimill::simcloud {
namespace {

constexpr std::string_view kEndpoint = "/v1/chat/completions";
constexpr std::size_t kMaxIdBytes = 512;
constexpr std::size_t kMaxMetadata = 16;
constexpr std::size_t kDefaultListed = 20;
constexpr std::size_t kMaxListed = 100;
constexpr std::chrono::hours kWindow{24};
constexpr auto kProtocol = chat::Protocol::kOpenAi;

BatchReply refused(const Error& error) {
  return {.status = protocol::http_status(error), .body = protocol::openai::write_error(error)};
}

BatchReply shown(const json::object& object, std::string batch = {}) {
  return {.body = json::serialize(object), .batch = std::move(batch)};
}

std::string_view status_of(BatchPhase phase) {
  switch (phase) {
    case BatchPhase::kValidating:
      return "validating";
    case BatchPhase::kInProgress:
      return "in_progress";
    case BatchPhase::kFinalizing:
      return "finalizing";
    case BatchPhase::kCompleted:
      return "completed";
    case BatchPhase::kFailed:
      return "failed";
    case BatchPhase::kExpired:
      return "expired";
    case BatchPhase::kCancelling:
      return "cancelling";
    case BatchPhase::kCancelled:
      return "cancelled";
  }
  return "failed";
}

json::object file_object(std::string_view id, std::size_t bytes) {
  return {{"id", id},
          {"object", "file"},
          {"bytes", bytes},
          {"created_at", 0},
          {"filename", "batch.jsonl"},
          {"purpose", "batch"},
          {"status", "processed"}};
}

json::object batch_object(const SimBatch& batch, const Batches& batches) {
  const BatchPhase phase = batches.phase(batch);
  const bool ended = has_ended(phase);
  const LineCounts counts = batches.counts(batch);
  const auto file_or_null = [](const std::string& id) {
    return id.empty() ? json::value(nullptr) : json::value(id);
  };
  json::object object{{"id", batch.id},
                      {"object", "batch"},
                      {"endpoint", kEndpoint},
                      {"errors", nullptr},
                      {"input_file_id", batch.input_file_id},
                      {"completion_window", "24h"},
                      {"status", status_of(phase)},
                      {"output_file_id", file_or_null(batch.output_file_id)},
                      {"error_file_id", file_or_null(batch.error_file_id)},
                      {"created_at", unix_s(batch.created)},
                      {"expires_at", unix_s(batch.created + kWindow)},
                      {"metadata", batch.metadata}};
  if (ended) object[fmt::format("{}_at", status_of(phase))] = unix_s(batches.ended_at(batch));
  const bool failed = phase == BatchPhase::kFailed;
  object["request_counts"] = {
      {"total", failed ? 0 : static_cast<std::int64_t>(batch.lines.size())},
      {"completed", failed ? 0 : counts.succeeded},
      {"failed", failed ? 0 : counts.errored + counts.cancelled + counts.expired}};
  if (failed) {
    const std::string why = batch.invalid.empty() ? "simulated: the batch failed" : batch.invalid;
    object["errors"] = {
        {"object", "list"},
        {"data", json::array{{{"code", "invalid_request"}, {"message", why}, {"line", 1}}}}};
  }
  return object;
}

json::object result_line(const SimBatch& batch, std::size_t line) {
  return {{"id", fmt::format("batch_req_{}_{}", batch.id, line)},
          {"custom_id", batch.lines[line].custom_id},
          {"response", nullptr},
          {"error", nullptr}};
}

std::string answered_line(const SimBatch& batch, std::size_t line, int status,
                          const std::string& body, AnswerForm form) {
  json::object object = result_line(batch, line);
  json::value parsed = json::parse(body);
  if (form.no_usage) parsed.as_object().erase("usage");
  object["response"] = {{"status_code", status},
                        {"request_id", fmt::format("sim-{}", line)},
                        {"body", std::move(parsed)}};
  return json::serialize(object);
}

std::string unanswered_line(const SimBatch& batch, std::size_t line, std::string_view code) {
  json::object object = result_line(batch, line);
  object["error"] = {{"code", code}, {"message", "simulated: this line was not carried out"}};
  return json::serialize(object);
}

/// The output and the error file, made when the batch has ended.
void make_files(SimBatch& batch, Batches& batches, AnswerForm form) {
  if (!batch.output_file_id.empty() || !batch.error_file_id.empty()) return;
  const BatchPhase phase = batches.phase(batch);
  if (!has_ended(phase) || phase == BatchPhase::kFailed) return;
  std::vector<std::string> good;
  std::vector<std::string> bad;
  for (std::size_t i = 0; i < batch.lines.size(); ++i) {
    const LineEnd end = batches.line_end(batch, i);
    if (end == LineEnd::kExpired || end == LineEnd::kCancelled) {
      const bool expired = end == LineEnd::kExpired;
      bad.push_back(unanswered_line(batch, i, expired ? "batch_expired" : "batch_cancelled"));
      continue;
    }
    Result<chat::ChatAnswer> answer = batches.answer(batch, i);
    if (end == LineEnd::kErrored) answer = std::unexpected(*error_of(Fault::kServerError));
    if (answer) {
      const std::string body = protocol::openai::write_answer(*answer, fmt::format("sim-{}", i),
                                                              unix_s(batches.ended_at(batch)));
      good.push_back(answered_line(batch, i, 200, body, form));
    } else {
      bad.push_back(answered_line(batch, i, protocol::http_status(answer.error()),
                                  protocol::openai::write_error(answer.error()), {}));
    }
  }
  if (!good.empty()) {
    batch.output_file_id = batches.add_file(results_text(batch, std::move(good))).value_or("");
  }
  if (!bad.empty()) {
    std::string text;
    for (const std::string& line : bad) text += line + '\n';
    batch.error_file_id = batches.add_file(std::move(text)).value_or("");
  }
}

/// The lines of an uploaded file; what is wrong with them fails the batch, not its creation.
void read_lines(std::string_view text, SimBatch& batch) {
  std::set<std::string> ids;
  std::size_t number = 0;
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    ++number;
    if (line.find_first_not_of(" \r\t") == std::string_view::npos) continue;
    const auto reject = [&](std::string_view why) {
      if (batch.invalid.empty()) batch.invalid = fmt::format("line {}: {}", number, why);
    };
    Result<json::object> object = parse_json_object(line);
    if (!object) return reject("is no JSON object");
    Fields fields(*object);
    const std::string id = fields.required_string("custom_id");
    const json::object* body = fields.optional_object("body");
    if (!fields.ok() || id.empty() || id.size() > kMaxIdBytes) return reject("has no custom_id");
    if (!ids.insert(id).second) return reject("has a custom_id that another line has");
    if (fields.string_or("method", "") != "POST") return reject("'method' must be POST");
    if (fields.string_or("url", "") != kEndpoint) return reject("'url' is not the endpoint");
    if (body == nullptr) return reject("has no body");
    if (batch.lines.size() == Batches::kMaxLines) return reject("there are too many lines");
    batch.lines.push_back({.custom_id = id, .body = json::serialize(*body)});
  }
  if (batch.lines.empty()) batch.invalid = "the file has no lines";
}

BatchReply upload(const http::Request& request, Batches& batches) {
  Result<std::vector<FormPart>> parts =
      parse_form(request.headers.get("content-type"), request.body);
  if (!parts) return refused(parts.error());
  const auto part = [&parts](std::string_view name) {
    return std::ranges::find(*parts, name, &FormPart::name);
  };
  const auto purpose = part("purpose");
  const auto file = part("file");
  if (file == parts->end() || purpose == parts->end() || purpose->content != "batch") {
    return refused(fail_field("purpose", "send 'purpose' batch and 'file'").error());
  }
  Result<std::string> id = batches.add_file(std::string(file->content));
  if (!id) return refused(id.error());
  return shown(file_object(*id, file->content.size()));
}

BatchReply create(const http::Request& request, Batches& batches) {
  Result<json::object> body = parse_json_object(request.body);
  if (!body) return refused(body.error());
  Fields fields(*body);
  SimBatch batch;
  batch.input_file_id = fields.required_string("input_file_id");
  if (fields.required_string("endpoint") != kEndpoint) {
    fields.reject("endpoint", "sim-cloud has /v1/chat/completions");
  }
  if (fields.required_string("completion_window") != "24h") {
    fields.reject("completion_window", "must be 24h");
  }
  if (const json::object* metadata = fields.optional_object("metadata")) {
    if (metadata->size() > kMaxMetadata) fields.reject("metadata", "has more than 16 pairs");
    batch.metadata = *metadata;
  }
  if (!fields.ok()) return refused(fields.error());
  Result<const std::string*> file = batches.file(batch.input_file_id);
  if (!file) return refused(file.error());
  read_lines(**file, batch);
  Result<SimBatch*> made =
      batches.create(std::move(batch), std::string(request.headers.get("idempotency-key")));
  if (!made) return refused(made.error());
  BatchReply reply = shown(batch_object(**made, batches), (*made)->id);
  reply.withheld = std::exchange((*made)->unconfirmed, false);
  return reply;
}

BatchReply list(const http::Request& request, Batches& batches, AnswerForm form) {
  const std::string text = http::query_value(request.query, "limit");
  std::size_t limit = kDefaultListed;
  if (!text.empty()) std::from_chars(text.data(), text.data() + text.size(), limit);
  limit = std::clamp<std::size_t>(limit, 1, kMaxListed);
  const auto found = batches.list(kProtocol, http::query_value(request.query, "after"), limit + 1);
  json::array data;
  for (std::size_t i = 0; i < std::min(limit, found.size()); ++i) {
    if (Result<SimBatch*> batch = batches.find(found[i]->id, kProtocol)) {
      make_files(**batch, batches, form);
    }
    data.push_back(batch_object(*found[i], batches));
  }
  json::object object{{"object", "list"}, {"has_more", found.size() > limit}};
  if (!data.empty()) {
    object["first_id"] = data.front().at("id");
    object["last_id"] = data.back().at("id");
  }
  object["data"] = std::move(data);
  return shown(object);
}

BatchReply about_batch(const http::Request& request, std::string_view rest, Batches& batches,
                       AnswerForm form) {
  const std::string_view id = rest.substr(0, rest.find('/'));
  const std::string_view verb = rest.substr(id.size());
  Result<SimBatch*> batch = batches.find(id, kProtocol);
  if (!batch) return refused(batch.error());
  if (request.method == "POST" && verb == "/cancel") {
    batches.cancel(**batch);
  } else if (request.method != "GET" || !verb.empty()) {
    return refused(fail(ErrorCode::kNotFound, "sim-cloud has no such batch endpoint").error());
  }
  make_files(**batch, batches, form);
  return shown(batch_object(**batch, batches), std::string(id));
}

BatchReply about_file(const http::Request& request, std::string_view rest, Batches& batches) {
  const std::string_view id = rest.substr(0, rest.find('/'));
  const std::string_view verb = rest.substr(id.size());
  Result<const std::string*> file = batches.file(id);
  if (!file) return refused(file.error());
  if (request.method == "GET" && verb == "/content") {
    return {.body = **file, .content_type = "application/jsonl"};
  }
  if (request.method == "DELETE" && verb.empty()) {
    batches.remove_file(id);
    return shown({{"id", id}, {"object", "file"}, {"deleted", true}});
  }
  if (request.method == "GET" && verb.empty()) return shown(file_object(id, (*file)->size()));
  return refused(fail(ErrorCode::kNotFound, "sim-cloud has no such file endpoint").error());
}

}  // namespace

std::optional<BatchReply> openai_batch_reply(const http::Request& request, Batches& batches,
                                             AnswerForm form) {
  constexpr std::string_view kFiles = "/v1/files";
  constexpr std::string_view kBatches = "/v1/batches";
  const std::string_view path = request.path;
  if (path == kFiles && request.method == "POST") return upload(request, batches);
  if (path == kBatches && request.method == "POST") return create(request, batches);
  if (path == kBatches && request.method == "GET") return list(request, batches, form);
  if (path.starts_with("/v1/batches/")) {
    return about_batch(request, path.substr(kBatches.size() + 1), batches, form);
  }
  if (path.starts_with("/v1/files/")) {
    return about_file(request, path.substr(kFiles.size() + 1), batches);
  }
  return std::nullopt;
}

}  // namespace minimill::simcloud
