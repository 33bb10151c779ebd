#include "simcloud/batches.h"

#include <fmt/format.h>

#include <algorithm>
#include <ranges>
#include <utility>

#include "protocol/anthropic.h"
#include "protocol/openai.h"

namespace minimill::simcloud {
namespace {

constexpr int kTenths = 10;
constexpr std::size_t kDeep = 100'000;

std::size_t bytes_of(const SimBatch& batch) {
  std::size_t bytes = 0;
  for (const BatchLine& line : batch.lines) bytes += line.custom_id.size() + line.body.size();
  return bytes;
}

std::unexpected<Error> too_much(std::string what) {
  return fail(ErrorCode::kTooLarge, "sim-cloud keeps no more " + what, "start it anew");
}

}  // namespace

std::string results_text(const SimBatch& batch, std::vector<std::string> lines) {
  if (batch.fault == Fault::kBatchHostile && !lines.empty()) {
    std::string stranger = lines.front();
    const std::string& id = batch.lines.front().custom_id;
    if (const std::size_t at = stranger.find(id); at != std::string::npos) {
      stranger.replace(at, id.size(), "nobody-asked-for-this");
    }
    const std::string twice = lines.front();
    lines.pop_back();  // missing
    lines.insert(lines.begin(), {"<html>simulated garbage</html>", "{\"custom_id\": 7}", "\xff\xfe",
                                 std::string(kDeep, '['), twice, std::move(stranger)});
  }
  std::string text;
  for (const std::string& line : lines) text += line + '\n';
  return text;
}

bool has_ended(BatchPhase phase) {
  return phase == BatchPhase::kCompleted || phase == BatchPhase::kFailed ||
         phase == BatchPhase::kExpired || phase == BatchPhase::kCancelled;
}

Batches::Batches(const Clock& clock, const Answering& answering, const FaultShares& faults,
                 Millis takes, std::uint64_t seed)
    : clock_(clock), answering_(answering), faults_(faults), takes_(takes), seed_(seed) {}

Result<SimBatch*> Batches::create(SimBatch batch, const std::string& idempotency_key) {
  const std::string key = fmt::format("{} {}", static_cast<int>(batch.protocol), idempotency_key);
  if (const auto known = by_key_.find(key); !idempotency_key.empty() && known != by_key_.end()) {
    return known->second;
  }
  const std::size_t bytes = bytes_of(batch);
  if (batches_.size() >= kMaxBatches) return too_much("batches");
  if (batch.lines.size() > kMaxLines) return too_much("lines in a batch");
  if (bytes_ + bytes > kMaxBytes) return too_much("bytes");
  bytes_ += bytes;
  const std::uint64_t number = batches_.size() + 1;
  batch.id = fmt::format(
      "{}sim_{:06}", batch.protocol == chat::Protocol::kOpenAi ? "batch_" : "msgbatch_", number);
  batch.created = clock_.wall();
  batch.fault = batch_fault(faults_, unit_interval(scrambled(seed_) ^ scrambled(number)));
  batch.unconfirmed = batch.fault == Fault::kBatchStall;
  SimBatch* made = batches_.emplace_back(std::make_unique<SimBatch>(std::move(batch))).get();
  if (!idempotency_key.empty()) by_key_.emplace(key, made);
  return made;
}

Result<SimBatch*> Batches::find(std::string_view id, chat::Protocol protocol) {
  for (const auto& batch : batches_) {
    if (batch->id == id && batch->protocol == protocol && !batch->deleted) return batch.get();
  }
  return fail(ErrorCode::kNotFound, fmt::format("no batch '{}'", id));
}

std::vector<const SimBatch*> Batches::list(chat::Protocol protocol, std::string_view after,
                                           std::size_t limit) const {
  std::vector<const SimBatch*> listed;
  bool begun = after.empty();
  for (const auto& batch : std::views::reverse(batches_)) {
    if (batch->protocol != protocol || batch->deleted) continue;
    if (begun && listed.size() < limit) listed.push_back(batch.get());
    begun = begun || batch->id == after;
  }
  return listed;
}

void Batches::cancel(SimBatch& batch) const {
  if (!batch.cancel_asked && !has_ended(phase(batch))) batch.cancel_asked = clock_.wall();
}

BatchPhase Batches::phase(const SimBatch& batch) const {
  const WallTime now = clock_.wall();
  const bool fails = !batch.invalid.empty() || (batch.fault == Fault::kBatchFail &&
                                                batch.protocol == chat::Protocol::kOpenAi);
  if (batch.cancel_asked) {
    return now < ended_at(batch) ? BatchPhase::kCancelling : BatchPhase::kCancelled;
  }
  if (now < batch.created + takes_ / kTenths) return BatchPhase::kValidating;
  if (fails) return BatchPhase::kFailed;
  if (now < batch.created + takes_ * (kTenths - 1) / kTenths) return BatchPhase::kInProgress;
  if (now < ended_at(batch)) return BatchPhase::kFinalizing;
  return batch.fault == Fault::kBatchExpire ? BatchPhase::kExpired : BatchPhase::kCompleted;
}

WallTime Batches::ended_at(const SimBatch& batch) const {
  const WallTime all = batch.created + takes_;
  if (!batch.cancel_asked) return all;
  return std::min(all, *batch.cancel_asked + takes_ / kTenths);
}

WallTime Batches::line_done_at(const SimBatch& batch, std::size_t line) const {
  const auto lines = static_cast<Millis::rep>(std::max<std::size_t>(batch.lines.size(), 1));
  const auto place = static_cast<Millis::rep>(line) + 1;
  return batch.created + takes_ / kTenths + takes_ * (kTenths - 2) * place / (kTenths * lines);
}

bool Batches::line_fails(const SimBatch& batch, std::size_t line) const {
  if (batch.fault == Fault::kBatchFail) return true;
  const auto share = faults_.find(Fault::kBatchError);
  if (share == faults_.end()) return false;
  return unit_interval(scrambled(seed_ + line) ^ scrambled(batch.lines.size())) < share->second;
}

LineEnd Batches::line_end(const SimBatch& batch, std::size_t line) const {
  if (batch.cancel_asked && line_done_at(batch, line) > *batch.cancel_asked) {
    return LineEnd::kCancelled;
  }
  if (batch.fault == Fault::kBatchExpire && line >= batch.lines.size() / 2) {
    return LineEnd::kExpired;
  }
  return line_fails(batch, line) ? LineEnd::kErrored : LineEnd::kSucceeded;
}

LineCounts Batches::counts(const SimBatch& batch) const {
  LineCounts counts;
  const WallTime now = clock_.wall();
  const bool ended = has_ended(phase(batch));
  for (std::size_t i = 0; i < batch.lines.size(); ++i) {
    if (!ended && now < line_done_at(batch, i)) {
      ++counts.processing;
      continue;
    }
    switch (line_end(batch, i)) {
      case LineEnd::kSucceeded:
        ++counts.succeeded;
        break;
      case LineEnd::kErrored:
        ++counts.errored;
        break;
      case LineEnd::kCancelled:
        ++counts.cancelled;
        break;
      case LineEnd::kExpired:
        ++counts.expired;
        break;
    }
  }
  return counts;
}

Result<chat::ChatAnswer> Batches::answer(const SimBatch& batch, std::size_t line) const {
  const std::string& body = batch.lines[line].body;
  Result<chat::ChatRequest> request = batch.protocol == chat::Protocol::kOpenAi
                                          ? protocol::openai::parse_chat_request(body)
                                          : protocol::anthropic::parse_messages_request(body);
  if (!request) return std::unexpected(std::move(request.error()));
  return answering_.answer(*request);
}

Result<std::string> Batches::add_file(std::string content) {
  if (files_.size() >= kMaxFiles) return too_much("files");
  if (bytes_ + content.size() > kMaxBytes) return too_much("bytes");
  bytes_ += content.size();
  std::string id = fmt::format("file-sim{:06}", ++files_made_);
  files_.emplace(id, std::move(content));
  return id;
}

Result<const std::string*> Batches::file(std::string_view id) const {
  const auto found = files_.find(id);
  if (found != files_.end()) return &found->second;
  return fail(ErrorCode::kNotFound, fmt::format("no file '{}'", id));
}

bool Batches::remove_file(std::string_view id) {
  const auto found = files_.find(id);
  if (found == files_.end()) return false;
  bytes_ -= found->second.size();
  files_.erase(found);
  return true;
}

}  // namespace minimill::simcloud
