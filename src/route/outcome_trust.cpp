#include "route/outcome_trust.h"

#include <algorithm>

#include "route/state_bytes.h"

namespace minimill::route {
namespace {

struct Kind {
  std::string_view name;
  double expected;  // how often it is right, before anything is known
};

constexpr std::array<Kind, static_cast<std::size_t>(OutcomeKind::kCount)> kKinds{{
    {"check", 1.0},
    {"form", 1.0},
    {"tool-call", 1.0},
    {"feedback", 0.97},
    {"judge", 0.9},
    {"comparison", 0.8},
    {"asked-again", 0.75},
    {"form-kept", 0.65},
    {"confidence", 0.6},
}};
constexpr double kWorth = 20;  // outcomes that the expectation is worth
constexpr double kLeast = 0.05;

}  // namespace

std::string_view name(OutcomeKind kind) { return kKinds[static_cast<std::size_t>(kind)].name; }

bool is_two_sided(OutcomeKind kind) {
  return kind == OutcomeKind::kCheck || kind == OutcomeKind::kFeedback ||
         kind == OutcomeKind::kJudge || kind == OutcomeKind::kComparison;
}

OutcomeTrust::OutcomeTrust() {
  for (std::size_t i = 0; i < records_.size(); ++i) {
    records_[i] = {.agreed = kWorth * kKinds[i].expected,
                   .disagreed = kWorth * (1 - kKinds[i].expected)};
  }
}

double OutcomeTrust::weight(OutcomeKind kind) const {
  const Record& record = records_[static_cast<std::size_t>(kind)];
  // One that is right half of the time says nothing.
  const double right = record.agreed / (record.agreed + record.disagreed);
  return std::clamp(2 * right - 1, kLeast, 1.0);
}

void OutcomeTrust::confirm(OutcomeKind kind, bool agreed) {
  Record& record = records_[static_cast<std::size_t>(kind)];
  (agreed ? record.agreed : record.disagreed) += 1;
}

void OutcomeTrust::append_state(std::string& out) const {
  for (const Record& record : records_) {
    append_number(out, record.agreed);
    append_number(out, record.disagreed);
  }
}

Result<> OutcomeTrust::take_state(std::string_view& bytes) {
  for (Record& record : records_) {
    const bool whole = take_number(bytes, record.agreed) && take_number(bytes, record.disagreed) &&
                       record.agreed >= 0 && record.disagreed >= 0 &&
                       record.agreed + record.disagreed > 0;
    if (!whole) return fail(ErrorCode::kCorrupt, "how far outcomes are believed is damaged");
  }
  return {};
}

}  // namespace minimill::route
