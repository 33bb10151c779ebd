#pragma once

// All that the router has learnt, as one value: copied for saving, written as bytes with a version
// and a checksum, read back whole or not at all.

#include <map>
#include <string>
#include <string_view>

#include "base/error.h"
#include "route/combiner.h"
#include "route/confidence.h"
#include "route/nearest.h"
#include "route/operations.h"
#include "route/outcome_trust.h"
#include "route/readable_model.h"
#include "route/reliability.h"
#include "route/risk_control.h"
#include "route/skill_classifier.h"
#include "route/text_model.h"

namespace minimill::route {

/// One local model: what it adds to what all share, and how its evidence is combined.
struct LocalModel {
  TextModel text;
  Combiner combiner;
  std::int64_t outcomes = 0;
};

struct Learnt {
  static constexpr std::size_t kMaxModels = 6;
  static constexpr std::size_t kMaxBounds = 64;  // twice what may be configured at a time

  TextTerms terms;
  SkillClassifier skills;
  Operations operations;

  // Every local model's; then what each adds.
  ReadableModel local_readable{shipped_prior().bias, 1};
  TextModel local_text;
  Combiner any_local;
  std::map<std::string, LocalModel, std::less<>> models;

  // Of the cloud most is expected, and hardly less of hard work.
  ReadableModel cloud_readable{2.2, 0.1};
  TextModel cloud_text;
  Combiner cloud;

  Nearest nearest;

  Confidence confidence;
  Reliability reliability;
  OutcomeTrust trust;
  std::map<std::string, RiskControl, std::less<>> audits;  // by scope

  /// Encoded: checksum, version, parts.
  std::string encode() const;
  static Result<Learnt> decode(std::string_view bytes);
};

}  // namespace minimill::route
