#include "simcloud/anthropic_batches.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <set>
#include <utility>

#include "base/rfc3339.h"
#include "protocol/anthropic.h"
#include "protocol/http_status.h"

namespace minimill::simcloud {
namespace {

constexpr std::size_t kMaxIdBytes = 64;
constexpr std::size_t kDefaultListed = 20;
constexpr std::size_t kMaxListed = 1000;
constexpr std::chrono::hours kWindow{24};
constexpr auto kProtocol = chat::Protocol::kAnthropic;

BatchReply refused(const Error& error) {
  return {.status = protocol::http_status(error), .body = protocol::anthropic::write_error(error)};
}

BatchReply shown(const json::object& object, std::string batch = {}) {
  return {.body = json::serialize(object), .batch = std::move(batch)};
}

bool is_good_id(std::string_view id) {
  const auto allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-';
  };
  return !id.empty() && id.size() <= kMaxIdBytes && std::ranges::all_of(id, allowed);
}

json::object batch_object(const SimBatch& batch, const Batches& batches) {
  const BatchPhase phase = batches.phase(batch);
  const bool ended = has_ended(phase);
  const LineCounts counts = batches.counts(batch);
  json::object object{{"id", batch.id},
                      {"type", "message_batch"},
                      {"processing_status", ended ? "ended" : "in_progress"},
                      {"created_at", rfc3339(batch.created)},
                      {"expires_at", rfc3339(batch.created + kWindow)},
                      {"archived_at", nullptr},
                      {"ended_at", nullptr},
                      {"cancel_initiated_at", nullptr},
                      {"results_url", nullptr}};
  if (phase == BatchPhase::kCancelling) object["processing_status"] = "canceling";
  if (batch.cancel_asked) object["cancel_initiated_at"] = rfc3339(*batch.cancel_asked);
  if (ended) {
    object["ended_at"] = rfc3339(batches.ended_at(batch));
    object["results_url"] =
        fmt::format("https://sim-cloud.invalid/v1/messages/batches/{}/results", batch.id);
  }
  // Until the end of all, everything counts as being processed.
  const auto total = static_cast<std::int64_t>(batch.lines.size());
  object["request_counts"] = {{"processing", ended ? 0 : total},
                              {"succeeded", ended ? counts.succeeded : 0},
                              {"errored", ended ? counts.errored : 0},
                              {"canceled", ended ? counts.cancelled : 0},
                              {"expired", ended ? counts.expired : 0}};
  return object;
}

json::object result_of(const SimBatch& batch, std::size_t line, const Batches& batches,
                       AnswerForm form) {
  const LineEnd end = batches.line_end(batch, line);
  if (end == LineEnd::kExpired) return {{"type", "expired"}};
  if (end == LineEnd::kCancelled) return {{"type", "canceled"}};
  Result<chat::ChatAnswer> answer = batches.answer(batch, line);
  if (end == LineEnd::kErrored) answer = std::unexpected(*error_of(Fault::kServerError));
  if (!answer) {
    return {{"type", "errored"},
            {"error", json::parse(protocol::anthropic::write_error(answer.error()))}};
  }
  json::value message =
      json::parse(protocol::anthropic::write_answer(*answer, fmt::format("msg_sim{}", line)));
  if (form.no_usage) message.as_object().erase("usage");
  return {{"type", "succeeded"}, {"message", std::move(message)}};
}

BatchReply results(const SimBatch& batch, const Batches& batches, AnswerForm form) {
  if (!has_ended(batches.phase(batch))) {
    return refused(fail(ErrorCode::kNotFound, "the batch has not ended").error());
  }
  std::vector<std::string> lines;
  for (std::size_t i = 0; i < batch.lines.size(); ++i) {
    lines.push_back(json::serialize(json::object{{"custom_id", batch.lines[i].custom_id},
                                                 {"result", result_of(batch, i, batches, form)}}));
  }
  return {.body = results_text(batch, std::move(lines)),
          .content_type = "application/x-jsonl",
          .batch = batch.id};
}

Result<std::vector<BatchLine>> read_lines(const json::array& requests) {
  std::vector<BatchLine> lines;
  std::set<std::string> ids;
  for (std::size_t i = 0; i < requests.size(); ++i) {
    const std::string where = fmt::format("requests[{}].", i);
    const json::object* object = requests[i].if_object();
    if (object == nullptr) return fail_field(where, "must be an object");
    Fields fields(*object, where);
    std::string id = fields.required_string("custom_id");
    if (fields.ok() && !is_good_id(id)) {
      fields.reject("custom_id", "must be 1 to 64 letters, digits, '_' or '-'");
    }
    const json::object* params = fields.optional_object("params");
    if (params == nullptr) fields.reject("params", "is required");
    if (!fields.ok()) return std::unexpected(std::move(fields).error());
    if (!ids.insert(id).second) return fail_field(where + "custom_id", "is there twice");
    lines.push_back({.custom_id = std::move(id), .body = json::serialize(*params)});
  }
  return lines;
}

BatchReply create(const http::Request& request, Batches& batches) {
  Result<json::object> body = parse_json_object(request.body);
  if (!body) return refused(body.error());
  Fields fields(*body);
  const json::array* requests = fields.optional_array("requests");
  if (requests == nullptr || requests->empty()) fields.reject("requests", "is required");
  if (!fields.ok()) return refused(fields.error());
  Result<std::vector<BatchLine>> lines = read_lines(*requests);
  if (!lines) return refused(lines.error());
  SimBatch batch;
  batch.protocol = kProtocol;
  batch.lines = std::move(*lines);
  Result<SimBatch*> made =
      batches.create(std::move(batch), std::string(request.headers.get("idempotency-key")));
  if (!made) return refused(made.error());
  BatchReply reply = shown(batch_object(**made, batches), (*made)->id);
  reply.withheld = std::exchange((*made)->unconfirmed, false);
  return reply;
}

BatchReply list(const http::Request& request, const Batches& batches) {
  const std::string text = http::query_value(request.query, "limit");
  std::size_t limit = kDefaultListed;
  if (!text.empty()) std::from_chars(text.data(), text.data() + text.size(), limit);
  limit = std::clamp<std::size_t>(limit, 1, kMaxListed);
  const auto found =
      batches.list(kProtocol, http::query_value(request.query, "after_id"), limit + 1);
  json::array data;
  for (std::size_t i = 0; i < std::min(limit, found.size()); ++i) {
    data.push_back(batch_object(*found[i], batches));
  }
  json::object object{
      {"has_more", found.size() > limit}, {"first_id", nullptr}, {"last_id", nullptr}};
  if (!data.empty()) {
    object["first_id"] = data.front().at("id");
    object["last_id"] = data.back().at("id");
  }
  object["data"] = std::move(data);
  return shown(object);
}

}  // namespace

std::optional<BatchReply> anthropic_batch_reply(const http::Request& request, Batches& batches,
                                                AnswerForm form) {
  constexpr std::string_view kBatches = "/v1/messages/batches";
  const std::string_view path = request.path;
  if (path == kBatches && request.method == "POST") return create(request, batches);
  if (path == kBatches && request.method == "GET") return list(request, batches);
  if (!path.starts_with("/v1/messages/batches/")) return std::nullopt;
  const std::string_view rest = path.substr(kBatches.size() + 1);
  const std::string_view id = rest.substr(0, rest.find('/'));
  const std::string_view verb = rest.substr(id.size());
  Result<SimBatch*> batch = batches.find(id, kProtocol);
  if (!batch) return refused(batch.error());
  if (request.method == "GET" && verb == "/results") return results(**batch, batches, form);
  if (request.method == "DELETE" && verb.empty()) {
    if (!has_ended(batches.phase(**batch))) {
      return refused(fail(ErrorCode::kConflict, "the batch has not ended").error());
    }
    (*batch)->deleted = true;
    return shown({{"id", id}, {"type", "message_batch_deleted"}}, std::string(id));
  }
  if (request.method == "POST" && verb == "/cancel") {
    batches.cancel(**batch);
  } else if (request.method != "GET" || !verb.empty()) {
    return refused(fail(ErrorCode::kNotFound, "sim-cloud has no such batch endpoint").error());
  }
  return shown(batch_object(**batch, batches), std::string(id));
}

}  // namespace minimill::simcloud
