#include "route/operations.h"

#include <algorithm>
#include <cmath>

#include "route/state_bytes.h"

namespace minimill::route {
namespace {

constexpr double kForgetting = 0.998;  // per outcome: the last hundred matter
constexpr double kBaseForgetting = 0.9995;
constexpr std::size_t kMaxModels = 8;  // per operation
constexpr std::size_t kMaxSlugBytes = 64;
constexpr double kMostCount = 1e6;

// Drift: outcomes may be worse than foretold by this much on average,
constexpr double kMayBeWorse = 0.15;
// and this many failures more than that are an alarm.
constexpr double kAlarm = 3;
constexpr double kKeptAfterAlarm = 0.1;  // of the counts
constexpr int kToProve = 5;
constexpr double kLongRecord = 10;  // outcomes

// Every so many works that went to the cloud unseen, one is picked for the device.
constexpr std::int64_t kExploreAfter = 20;
constexpr std::int64_t kExploreAfterChange = 5;

}  // namespace

void Record::add(bool ok, double weight) {
  good = kForgetting * good + (ok ? weight : 0);
  bad = kForgetting * bad + (ok ? 0 : weight);
}

void Record::append_state(std::string& out) const {
  append_number(out, good);
  append_number(out, bad);
}

bool Record::take_state(std::string_view& bytes) {
  return take_number(bytes, good) && take_number(bytes, bad) && good >= 0 && good <= kMostCount &&
         bad >= 0 && bad <= kMostCount;
}

std::string operation_slug(std::string_view title) {
  std::string slug;
  for (const char c : title) {
    const char small = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
    const bool letter =
        (small >= 'a' && small <= 'z') || (static_cast<unsigned char>(c) & 0x80U) != 0;
    if (letter) {
      slug += small;
    } else if (!slug.empty() && slug.back() != '-') {
      slug += '-';
    }
    if (slug.size() >= kMaxSlugBytes) break;
  }
  while (slug.ends_with('-')) slug.pop_back();
  return slug;
}

const OperationIndex* Operations::find(std::string_view slug) const {
  const auto found = by_slug_.find(std::string(slug));
  return found == by_slug_.end() ? nullptr : &found->second;
}

Operations::Place Operations::add(std::string slug, std::string title) {
  Place place;
  if (operations_.size() < kMaxOperations) {
    place.index = static_cast<OperationIndex>(operations_.size());
    operations_.emplace_back();
  } else {
    const auto oldest = std::ranges::min_element(operations_, {}, &Operation::last_seen);
    place = {.index = static_cast<OperationIndex>(oldest - operations_.begin()), .evicted = true};
    by_slug_.erase(oldest->slug);
    *oldest = {};
  }
  Operation& operation = operations_[place.index];
  operation.slug = slug;
  operation.title = std::move(title);
  by_slug_.emplace(std::move(slug), place.index);
  return place;
}

void Operations::saw(OperationIndex index, std::uint32_t fingerprint) {
  Operation& operation = operations_[index];
  operation.last_seen = ++works_;
  ++operation.seen;
  ++operation.since_tried;
  const std::int64_t after = operation.to_prove > 0 ? kExploreAfterChange : kExploreAfter;
  if (operation.since_tried % after == 0) operation.trial = fingerprint;
}

bool Operations::learn_local(OperationIndex index, std::string_view model, double p, bool ok,
                             double weight) {
  Operation& operation = operations_[index];
  // The estimate follows what happens; a long record does not so quickly, and is what a change for
  // the worse stands out against.
  const Record& before = operation.local;
  const double foretold =
      before.count() >= kLongRecord ? std::max(p, before.good / before.count()) : p;
  operation.local.add(ok, weight);
  local_base_.good = kBaseForgetting * local_base_.good + (ok ? weight : 0);
  local_base_.bad = kBaseForgetting * local_base_.bad + (ok ? 0 : weight);
  if (operation.by_model.size() < kMaxModels || operation.by_model.contains(model)) {
    operation.by_model[std::string(model)].add(ok, weight);
  }
  operation.since_tried = 0;
  operation.trial = 0;

  if (operation.to_prove > 0) {
    operation.to_prove = ok ? operation.to_prove - 1 : kToProve;
    return false;
  }
  operation.surprise =
      std::max(0.0, operation.surprise + weight * (foretold - (ok ? 1 : 0) - kMayBeWorse));
  if (operation.surprise < kAlarm) return false;
  operation.surprise = 0;
  operation.to_prove = kToProve;
  const auto forget = [](Record& record) {
    record.good *= kKeptAfterAlarm;
    record.bad *= kKeptAfterAlarm;
  };
  forget(operation.local);
  for (auto& [name, record] : operation.by_model) forget(record);
  return true;
}

void Operations::learn_cloud(OperationIndex index, bool ok, double weight) {
  operations_[index].cloud.add(ok, weight);
  cloud_base_.good = kBaseForgetting * cloud_base_.good + (ok ? weight : 0);
  cloud_base_.bad = kBaseForgetting * cloud_base_.bad + (ok ? 0 : weight);
}

void Operations::expect_change() {
  // The next work of each is a trial, or soon after.
  for (Operation& operation : operations_) {
    operation.since_tried = std::max(operation.since_tried, kExploreAfter - kExploreAfterChange);
  }
}

void Operations::append_state(std::string& out) const {
  append_number(out, works_);
  local_base_.append_state(out);
  cloud_base_.append_state(out);
  append_number(out, static_cast<std::uint32_t>(operations_.size()));
  for (const Operation& operation : operations_) {
    append_text(out, operation.slug);
    append_text(out, operation.title);
    append_number(out, operation.seen);
    append_number(out, operation.last_seen);
    append_number(out, operation.since_tried);
    append_number(out, operation.trial);
    append_number(out, operation.surprise);
    append_number(out, operation.to_prove);
    operation.local.append_state(out);
    operation.cloud.append_state(out);
    append_number(out, static_cast<std::uint32_t>(operation.by_model.size()));
    for (const auto& [model, record] : operation.by_model) {
      append_text(out, model);
      record.append_state(out);
    }
  }
}

Result<> Operations::take_state(std::string_view& bytes) {
  const auto damaged = [] {
    return fail(ErrorCode::kCorrupt, "the list of operations is damaged");
  };
  std::uint32_t count = 0;
  const bool head = take_number(bytes, works_) && local_base_.take_state(bytes) &&
                    cloud_base_.take_state(bytes) && take_number(bytes, count);
  if (!head || count > kMaxOperations) return damaged();
  for (std::uint32_t i = 0; i < count; ++i) {
    Operation operation;
    std::uint32_t models = 0;
    const bool whole =
        take_text(bytes, operation.slug) && take_text(bytes, operation.title) &&
        take_number(bytes, operation.seen) && take_number(bytes, operation.last_seen) &&
        take_number(bytes, operation.since_tried) && take_number(bytes, operation.trial) &&
        take_number(bytes, operation.surprise) && take_number(bytes, operation.to_prove) &&
        operation.local.take_state(bytes) && operation.cloud.take_state(bytes) &&
        take_number(bytes, models);
    const bool sane = operation.to_prove >= 0 && operation.to_prove <= kToProve;
    if (!whole || !sane || models > kMaxModels) return damaged();
    for (std::uint32_t j = 0; j < models; ++j) {
      std::string model;
      Record record;
      if (!take_text(bytes, model) || !record.take_state(bytes)) return damaged();
      operation.by_model.emplace(std::move(model), record);
    }
    if (!by_slug_.emplace(operation.slug, static_cast<OperationIndex>(i)).second) return damaged();
    operations_.push_back(std::move(operation));
  }
  return {};
}

}  // namespace minimill::route
