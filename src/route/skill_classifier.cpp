#include "route/skill_classifier.h"

#include <algorithm>
#include <cmath>

#include "route/state_bytes.h"

namespace minimill::route {
namespace {

constexpr std::uint32_t kRowBits = 15;
constexpr std::uint32_t kRows = 1U << kRowBits;
constexpr std::size_t kColumnStep = 16;
constexpr float kOne = 4096;      // a weight of one
constexpr float kTermOne = 1024;  // a term's value of one
constexpr float kAggressiveness = 0.5F;
constexpr float kNoneAggressiveness = 0.5F;
constexpr double kFirstBar = -0.45;
constexpr double kBarStep = 0.01;
constexpr double kMayFallBelow = 0.02;  // share of known texts that may be called unknown
constexpr float kSharpness = 6;         // of the belief, per unit of score

std::uint32_t row(std::uint32_t bucket) { return (bucket ^ (bucket >> kRowBits)) & (kRows - 1); }

}  // namespace

SkillClassifier::SkillClassifier() : bar_(kFirstBar) {}

std::vector<Term> SkillClassifier::terms_of(const Features& features) const {
  std::vector<Term> terms;
  terms.reserve(features.skill_words.size() + features.skill_runs.size());
  constexpr float kHalf = 0.70710678F;  // both kinds together have length one
  vocabulary_.append_terms(features.skill_words, 0, kHalf, terms);
  vocabulary_.append_terms(features.skill_runs, 0, kHalf, terms);
  for (Term& term : terms) term.bucket = row(term.bucket);
  return terms;
}

void SkillClassifier::score(const std::vector<Term>& terms, std::vector<float>& scores) const {
  std::vector<std::int32_t> sums(columns_);
  std::int32_t* const sum = sums.data();
  const std::size_t columns = columns_;
  for (const Term& term : terms) {
    const std::int16_t* const weight = weights_.data() + std::size_t{term.bucket} * columns;
    const auto value = static_cast<std::int16_t>(term.value * kTermOne);
    for (std::size_t i = 0; i < columns; ++i) sum[i] += weight[i] * value;
  }
  scores.resize(used_);
  for (std::size_t i = 0; i < used_; ++i) {
    scores[i] = static_cast<float>(kUnknown) + static_cast<float>(sum[i]) / (kOne * kTermOne);
  }
}

SkillClassifier::Recognition SkillClassifier::recognise(const Features& features) const {
  Recognition recognition;
  if (used_ == 0) return recognition;
  std::vector<float> scores;
  score(terms_of(features), scores);
  for (std::size_t i = 0; i < scores.size(); ++i) {
    auto& candidates = recognition.candidates;
    std::size_t place = recognition.count;
    while (place > 0 && candidates[place - 1].score < scores[i]) --place;
    if (place == Recognition::kMost) continue;
    recognition.count = std::min(recognition.count + 1, Recognition::kMost);
    for (std::size_t j = recognition.count - 1; j > place; --j) candidates[j] = candidates[j - 1];
    candidates[place] = {
        .operation = static_cast<OperationIndex>(i), .score = scores[i], .share = 0};
  }
  const float best = recognition.candidates[0].score;
  float total = std::exp(kSharpness * (static_cast<float>(bar_) - best));
  for (const float each : scores) total += std::exp(kSharpness * (each - best));
  for (std::size_t i = 0; i < recognition.count; ++i) {
    Candidate& candidate = recognition.candidates[i];
    candidate.share = std::exp(kSharpness * (candidate.score - best)) / total;
  }
  recognition.known = best >= bar_;
  return recognition;
}

void SkillClassifier::make_column(OperationIndex operation) {
  if (operation < used_) return;
  used_ = std::size_t{operation} + 1;
  if (used_ <= columns_) return;
  const std::size_t columns = (used_ + kColumnStep - 1) / kColumnStep * kColumnStep;
  std::vector<std::int16_t> wider(kRows * columns);
  for (std::size_t i = 0; i < kRows && columns_ > 0; ++i) {
    std::copy_n(weights_.begin() + static_cast<std::ptrdiff_t>(i * columns_), columns_,
                wider.begin() + static_cast<std::ptrdiff_t>(i * columns));
  }
  weights_ = std::move(wider);
  columns_ = columns;
}

/// `operation` −1: none of them.
void SkillClassifier::move_towards(const std::vector<Term>& terms, const std::vector<float>& scores,
                                   int operation) {
  // PA-II: far enough to be right by a margin of one, less the more noise is to be expected.
  const float scale = 1 / (1 + 1 / (2 * (operation < 0 ? kNoneAggressiveness : kAggressiveness)));
  std::vector<std::pair<std::size_t, float>> moves;
  for (std::size_t i = 0; i < scores.size(); ++i) {
    const float side = static_cast<int>(i) == operation ? 1 : -1;
    const float loss = 1 - side * scores[i];
    if (loss > 0) moves.emplace_back(i, side * loss * scale * kOne);
  }
  for (const Term& term : terms) {
    std::int16_t* const weight = weights_.data() + std::size_t{term.bucket} * columns_;
    for (const auto& [column, move] : moves) {
      const float moved = static_cast<float>(weight[column]) + std::round(move * term.value);
      weight[column] = static_cast<std::int16_t>(std::clamp(moved, -32767.0F, 32767.0F));
    }
  }
}

void SkillClassifier::learn(const Features& features, OperationIndex operation, bool new_text) {
  if (features.skill_words.empty()) return;
  make_column(operation);
  std::vector<Term> terms = terms_of(features);
  std::vector<float> scores;
  score(terms, scores);
  const auto best = static_cast<OperationIndex>(std::ranges::max_element(scores) - scores.begin());
  if (new_text && best == operation) {
    // Stochastic approximation of a low quantile of the scores of texts that were recognised.
    bar_ += kBarStep * (scores[best] < bar_ ? kMayFallBelow - 1 : kMayFallBelow);
    bar_ = std::clamp(bar_, kUnknown, 0.5);
  }
  move_towards(terms, scores, operation);
  if (new_text) vocabulary_.add(features.skill_words, features.skill_runs);
}

void SkillClassifier::learn_none(const Features& features) {
  const std::vector<Term> terms = terms_of(features);
  std::vector<float> scores;
  score(terms, scores);
  move_towards(terms, scores, -1);
}

void SkillClassifier::clear(OperationIndex operation) {
  if (operation >= used_) return;
  for (std::size_t i = 0; i < kRows; ++i) weights_[i * columns_ + operation] = 0;
}

void SkillClassifier::append_state(std::string& out) const {
  vocabulary_.append_state(out);
  append_number(out, bar_);
  append_number(out, static_cast<std::uint32_t>(used_));
  append_number(out, static_cast<std::uint32_t>(columns_));
  append_numbers(out, weights_);
}

Result<> SkillClassifier::take_state(std::string_view& bytes) {
  const auto damaged = [] {
    return fail(ErrorCode::kCorrupt, "what was learnt of operations is damaged");
  };
  if (Result<> taken = vocabulary_.take_state(bytes); !taken) return taken;
  std::uint32_t used = 0;
  std::uint32_t columns = 0;
  const bool sizes =
      take_number(bytes, bar_) && take_number(bytes, used) && take_number(bytes, columns);
  if (!sizes || used > columns || columns > kMaxOperations || columns % kColumnStep != 0)
    return damaged();
  used_ = used;
  columns_ = columns;
  weights_.assign(kRows * columns_, 0);
  if (!take_numbers(bytes, weights_)) return damaged();
  return {};
}

}  // namespace minimill::route
