#pragma once

// One operation learnt from what the cloud answered: its templates, its form, its micro-model, the
// evidence for it, and whether it may answer.
//
//   learner.learn({.request = prompt, .answer = text, .outcome = …}, &judge);  // in the order of
//   time if (learner.due()) learner.adopt(OperationLearner::train(learner.training_set()));
//   OperationLearner::Verdict verdict = learner.predict(prompt, has_check);
//   if (verdict.answer) …                                                     // else
//   verdict.reason
//
// learn() and predict() take microseconds; train() is pure, takes up to seconds and may run on
// another thread. Texts are held in memory only: state has templates (what requests share), labels
// and weights, no request and no answer; recall() brings the texts back from the traces.

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"
#include "distill/evidence.h"
#include "distill/form.h"
#include "distill/micro_model.h"
#include "distill/template.h"

namespace minimill::distill {

/// Whether the request's own check, or the user, found the teacher's answer right.
enum class Teacher : std::uint8_t { kUnknown, kRight, kWrong };

struct Lesson {
  std::string_view request;  // all of its text, instructions included
  std::string_view answer;
  Teacher teacher = Teacher::kUnknown;
};

/// Why an operation's micro-model does not answer.
enum class Abstention : std::uint8_t {
  kNone,
  kNotLearnt,      // too few answers, or free text
  kNovelTemplate,  // other instructions than were learnt from
  kNovelOptions,   // another list of answers
  kNovelText,      // too little in it is familiar
  kUnproven,       // not enough evidence yet
  kUnsure,         // under the bar
  kDemoted,        // it broke its promise
};
std::string_view name(Abstention reason);

class OperationLearner {
 public:
  static constexpr std::size_t kMostExamples = 8'000;
  static constexpr std::size_t kMostBytes = std::size_t{32} << 20;  // of texts held
  static constexpr std::size_t kMostRequestBytes = 32 << 10;
  static constexpr std::size_t kMostAnswerBytes = 8 << 10;
  static constexpr std::size_t kMostOptionLists = 64;

  /// Runs a request's own check on an answer.
  using Judge = std::function<bool(std::string_view answer)>;

  struct Verdict {
    std::optional<std::string> answer;  // may go out
    Abstention reason = Abstention::kNone;
    double p_right = 0;
    double bar = Evidence::kNone;
    bool on_trial = false;  // only because a check will look at it
    std::string candidate;  // what it would have said
    std::uint32_t cluster = 0;
  };

  /// What train() needs, copied: about what the texts take.
  struct TrainingSet {
    std::vector<Example> examples;
    std::vector<std::string> options;
    std::size_t lessons = 0;
  };
  struct Trained {
    std::shared_ptr<const MicroModel> model;  // null: nothing that can be learnt
    std::size_t lessons = 0;
  };

  /// An answer of the cloud's: predicted, compared, then kept to be learnt from. `judge` may be
  /// null.
  void learn(const Lesson& lesson, const Judge* judge);
  /// The same after a restart, from the traces: kept only.
  void recall(const Lesson& lesson);
  /// Enough is new for another training: after every few answers while young, then seldom.
  bool due() const;
  TrainingSet training_set() const;
  static Trained train(const TrainingSet& set);
  void adopt(Trained trained);

  /// `checked`: the request's own check will be run on the answer.
  Verdict predict(std::string_view request, bool checked, const Promise& promise = {}) const;
  /// How likely each answer is (MicroModel::weights).
  std::vector<std::pair<std::string, double>> weights(std::string_view request) const;
  /// An answer that went out was audited against the cloud's, or checked.
  void audit(bool right, const Promise& promise = {}) { evidence_.audit(right, promise); }
  /// Drops what the predicate names; the model learnt from it goes with it, until trained anew.
  std::size_t forget(const std::function<bool(const Lesson&)>& which);

  std::size_t examples() const { return examples_.size(); }
  const MicroModel* model() const { return model_.get(); }
  const Evidence& evidence() const { return evidence_; }
  const Templates& templates() const { return templates_; }

  /// A checksum, a version, the parts: without texts.
  std::string encode() const;
  static Result<OperationLearner> decode(std::string_view bytes);

 private:
  struct Kept {
    std::string request;
    std::string answer;
    Teacher teacher = Teacher::kUnknown;
  };
  void keep(const Lesson& lesson);
  void test(const Lesson& lesson, const Judge* judge);
  void try_check(const Lesson& lesson, const Judge& judge);
  bool knows_options(std::string_view request) const;

  Templates templates_;
  std::map<std::uint64_t, std::uint32_t> option_lists_;  // by hash; how often seen
  std::vector<std::string> options_;                     // the newest list, as written
  std::deque<Kept> examples_;                            // oldest first
  std::size_t bytes_ = 0;
  std::size_t lessons_ = 0;  // in all
  std::size_t trained_at_ = 0;
  std::shared_ptr<const MicroModel> model_;  // shared with a prediction under way
  Evidence evidence_;
};

}  // namespace minimill::distill
