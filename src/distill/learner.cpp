#include "distill/learner.h"

#include <algorithm>
#include <utility>

#include "base/sha256.h"
#include "route/state_bytes.h"

namespace minimill::distill {
namespace {

constexpr std::string_view kMagic = "minimill distilled operation 1\n";
constexpr std::size_t kChecksumBytes = 64;
constexpr std::uint32_t kKnownOptions = 3;  // times a list of answers was seen
constexpr std::size_t kFirstTraining = 10;
constexpr std::size_t kSoonest = 3;  // lessons between trainings
constexpr std::size_t kShare = 10;   // or this part of all
constexpr float kUnknownWeight = 0.8F;
/// Nearly all answers the same: that the model says so, too, proves nothing.
constexpr double kOneSided = 0.95;

std::uint64_t hash_of(const std::vector<std::string>& options) {
  std::vector<std::string> sorted = options;
  std::ranges::sort(sorted);
  std::uint64_t hash = 14695981039346656037ULL;
  for (const std::string& option : sorted) {
    for (const char c : option) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211ULL;
    hash = (hash ^ 0x1f) * 1099511628211ULL;
  }
  return hash;
}

bool same_answer(const Form& form, std::string_view a, std::string_view b, std::string_view text) {
  const auto left = form.read(a, text);
  return left && left == form.read(b, text);
}

}  // namespace

std::string_view name(Abstention reason) {
  switch (reason) {
    case Abstention::kNone:
      return "none";
    case Abstention::kNotLearnt:
      return "not_learnt";
    case Abstention::kNovelTemplate:
      return "novel_template";
    case Abstention::kNovelOptions:
      return "novel_options";
    case Abstention::kNovelText:
      return "novel_text";
    case Abstention::kUnproven:
      return "unproven";
    case Abstention::kUnsure:
      return "unsure";
    case Abstention::kDemoted:
      return "demoted";
  }
  std::unreachable();
}

void OperationLearner::learn(const Lesson& lesson, const Judge* judge) {
  if (lesson.request.size() > kMostRequestBytes || lesson.answer.size() > kMostAnswerBytes) return;
  test(lesson, judge);
  if (judge != nullptr) try_check(lesson, *judge);
  templates_.learn(lesson.request);
  std::vector<std::string> options = options_in(lesson.request);
  if (!options.empty()) {
    if (option_lists_.size() >= kMostOptionLists) {
      option_lists_.erase(std::ranges::min_element(option_lists_, {},
                                                   &decltype(option_lists_)::value_type::second));
    }
    ++option_lists_[hash_of(options)];
  }
  // An answer known to be wrong teaches nothing, but that there was a request.
  if (lesson.teacher == Teacher::kWrong) return;
  options_ = std::move(options);
  ++lessons_;
  keep(lesson);
}

void OperationLearner::recall(const Lesson& lesson) {
  if (lesson.request.size() > kMostRequestBytes || lesson.answer.size() > kMostAnswerBytes) return;
  if (lesson.teacher == Teacher::kWrong) return;
  options_ = options_in(lesson.request);
  keep(lesson);
}

void OperationLearner::keep(const Lesson& lesson) {
  examples_.push_back({.request = std::string(lesson.request),
                       .answer = std::string(lesson.answer),
                       .teacher = lesson.teacher});
  bytes_ += lesson.request.size() + lesson.answer.size();
  while (examples_.size() > kMostExamples || bytes_ > kMostBytes) {
    bytes_ -= examples_.front().request.size() + examples_.front().answer.size();
    examples_.pop_front();
  }
}

/// Predicts the answer as if it had not come, and compares.
void OperationLearner::test(const Lesson& lesson, const Judge* judge) {
  if (!model_ || (judge == nullptr && lesson.teacher == Teacher::kWrong)) return;
  const std::optional<Templates::Match> match = templates_.match(lesson.request);
  if (!match || !match->settled || !knows_options(lesson.request)) return;
  const MicroModel::Prediction prediction = model_->predict(match->text);
  if (prediction.novel || prediction.answer.empty()) return;
  const bool right =
      judge != nullptr ? (*judge)(prediction.answer)
                       : same_answer(model_->form(), prediction.answer, lesson.answer, match->text);
  evidence_.add(prediction.p_right, right, prediction.cluster, near_duplicate_key(match->text));
}

/// Does the check tell wrong from right? It is tried on another request's answer.
void OperationLearner::try_check(const Lesson& lesson, const Judge& judge) {
  constexpr std::size_t kLookedAt = 8;
  if (lesson.teacher != Teacher::kRight) return;
  const std::size_t most = std::min(kLookedAt, examples_.size());
  for (std::size_t i = 0; i < most; ++i) {
    const Kept& other = examples_[examples_.size() - 1 - i];
    if (other.answer == lesson.answer) continue;
    evidence_.tried_check(!judge(other.answer));
    return;
  }
}

bool OperationLearner::knows_options(std::string_view request) const {
  const std::vector<std::string> options = options_in(request);
  if (options.empty()) return true;
  const auto known = option_lists_.find(hash_of(options));
  return known != option_lists_.end() && known->second >= kKnownOptions;
}

bool OperationLearner::due() const {
  if (examples_.size() < kFirstTraining) return false;
  if (!model_ && trained_at_ == 0) return true;
  return lessons_ - trained_at_ >= std::max(kSoonest, examples_.size() / kShare);
}

OperationLearner::TrainingSet OperationLearner::training_set() const {
  TrainingSet set{.examples = {}, .options = options_, .lessons = lessons_};
  for (const Kept& kept : examples_) {
    std::optional<Templates::Match> match = templates_.match(kept.request);
    if (!match) continue;
    set.examples.push_back({.text = std::move(match->text),
                            .answer = kept.answer,
                            .weight = kept.teacher == Teacher::kRight ? 1.0F : kUnknownWeight});
  }
  return set;
}

OperationLearner::Trained OperationLearner::train(const TrainingSet& set) {
  Trained trained{.model = nullptr, .lessons = set.lessons};
  std::vector<Form::Seen> seen;
  for (const Example& each : set.examples)
    seen.push_back({.text = each.text, .answer = each.answer});
  const std::optional<Form> form = Form::fit(seen, set.options);
  if (!form) return trained;
  Result<MicroModel> model = MicroModel::train(set.examples, *form);
  if (model) trained.model = std::make_shared<const MicroModel>(std::move(*model));
  return trained;
}

void OperationLearner::adopt(Trained trained) {
  trained_at_ = trained.lessons;
  model_ = std::move(trained.model);
}

OperationLearner::Verdict OperationLearner::predict(std::string_view request, bool checked,
                                                    const Promise& promise) const {
  Verdict verdict;
  const auto abstain = [&verdict](Abstention reason) {
    verdict.reason = reason;
    return verdict;
  };
  if (!model_) return abstain(Abstention::kNotLearnt);
  if (request.size() > kMostRequestBytes) return abstain(Abstention::kNovelText);
  const std::optional<Templates::Match> match = templates_.match(request);
  if (!match || !match->settled) return abstain(Abstention::kNovelTemplate);
  if (!knows_options(request)) return abstain(Abstention::kNovelOptions);
  const MicroModel::Prediction prediction = model_->predict(match->text);
  verdict.candidate = prediction.answer;
  verdict.p_right = prediction.p_right;
  verdict.cluster = prediction.cluster;
  if (prediction.novel) return abstain(Abstention::kNovelText);
  if (prediction.answer.empty()) return abstain(Abstention::kUnsure);

  const bool one_sided = model_->commonest_share() > kOneSided;
  const double proven = one_sided ? Evidence::kNone : evidence_.proven_bar(promise);
  const double trial = checked ? evidence_.trial_bar(lessons_) : Evidence::kNone;
  verdict.bar = std::min(proven, trial);
  verdict.on_trial = trial < proven;
  if (verdict.bar >= Evidence::kNone) {
    return abstain(evidence_.broken() ? Abstention::kDemoted : Abstention::kUnproven);
  }
  if (verdict.p_right < verdict.bar) return abstain(Abstention::kUnsure);
  if (!verdict.on_trial && evidence_.is_worse(verdict.cluster, verdict.bar, promise)) {
    return abstain(Abstention::kUnsure);
  }
  verdict.answer = prediction.answer;
  return verdict;
}

std::vector<std::pair<std::string, double>> OperationLearner::weights(
    std::string_view request) const {
  const std::optional<Templates::Match> match = templates_.match(request);
  if (!model_ || !match) return {};
  return model_->weights(match->text);
}

std::size_t OperationLearner::forget(const std::function<bool(const Lesson&)>& which) {
  const std::size_t gone = std::erase_if(examples_, [&which](const Kept& kept) {
    return which({.request = kept.request, .answer = kept.answer, .teacher = kept.teacher});
  });
  if (gone == 0) return 0;
  templates_ = {};
  option_lists_.clear();
  options_.clear();
  bytes_ = 0;
  for (const Kept& kept : examples_) {
    bytes_ += kept.request.size() + kept.answer.size();
    templates_.learn(kept.request);
    options_ = options_in(kept.request);
    if (!options_.empty()) ++option_lists_[hash_of(options_)];
  }
  model_.reset();
  trained_at_ = 0;
  return gone;
}

std::string OperationLearner::encode() const {
  std::string out(kMagic);
  templates_.append_state(out);
  route::append_number(out, static_cast<std::uint32_t>(option_lists_.size()));
  for (const auto& [hash, count] : option_lists_) {
    out.append(reinterpret_cast<const char*>(&hash), sizeof hash);
    route::append_number(out, count);
  }
  evidence_.append_state(out);
  route::append_number(out, static_cast<std::int64_t>(lessons_));
  if (model_) out += model_->encode();
  return sha256_hex(out) + out;
}

Result<OperationLearner> OperationLearner::decode(std::string_view bytes) {
  const auto damaged = [](std::string_view what) {
    return fail(ErrorCode::kCorrupt,
                "what was learnt of an operation is damaged: " + std::string(what),
                "it is learnt again from the traces");
  };
  if (bytes.size() < kChecksumBytes || bytes.size() > MicroModel::kMostFileBytes ||
      sha256_hex(bytes.substr(kChecksumBytes)) != bytes.substr(0, kChecksumBytes)) {
    return damaged("its checksum is wrong");
  }
  bytes.remove_prefix(kChecksumBytes);
  if (!bytes.starts_with(kMagic)) return damaged("it is of another version, or none");
  bytes.remove_prefix(kMagic.size());
  OperationLearner learner;
  if (Result<> taken = learner.templates_.take_state(bytes); !taken) {
    return std::unexpected(std::move(taken.error()));
  }
  std::uint32_t lists = 0;
  if (!route::take_number(bytes, lists) || lists > kMostOptionLists) return damaged("its options");
  for (std::uint32_t i = 0; i < lists; ++i) {
    std::uint64_t hash = 0;
    std::uint32_t count = 0;
    if (bytes.size() < sizeof hash) return damaged("its options");
    bytes.copy(reinterpret_cast<char*>(&hash), sizeof hash);
    bytes.remove_prefix(sizeof hash);
    if (!route::take_number(bytes, count)) return damaged("its options");
    learner.option_lists_[hash] = count;
  }
  if (Result<> taken = learner.evidence_.take_state(bytes); !taken) {
    return std::unexpected(std::move(taken.error()));
  }
  std::int64_t lessons = 0;
  if (!route::take_number(bytes, lessons)) return damaged("its count");
  learner.lessons_ = static_cast<std::size_t>(lessons);
  learner.trained_at_ = learner.lessons_;
  if (bytes.empty()) return learner;
  Result<MicroModel> model = MicroModel::decode(bytes);
  if (!model) return std::unexpected(std::move(model.error()));
  learner.model_ = std::make_shared<const MicroModel>(std::move(*model));
  return learner;
}

}  // namespace minimill::distill
