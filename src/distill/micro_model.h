#pragma once

// A model of kilobytes that answers one operation in microseconds, or says how sure it is not to:
// one head for every closed field (LogisticModel), one for all copied ones (SpanTagger), and one
// calibration over the whole answer, learnt out of fold.
//
//   Result<MicroModel> model = MicroModel::train(examples, form);
//   MicroModel::Prediction p = model->predict("Where is my card?");
//   if (p.p_right >= bar) answer(p.answer);
//
// Training is pure and belongs on a background thread; a model is a value and immutable.

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/error.h"
#include "distill/calibration.h"
#include "distill/features.h"
#include "distill/form.h"
#include "distill/logistic_model.h"
#include "distill/span_tagger.h"

namespace minimill::distill {

struct Example {
  std::string text;  // what varies of the request
  std::string answer;
  float weight = 1;  // how far the answer is to be believed
};

/// The same for texts that differ in case, digits, punctuation and white space only: such are never
/// on both sides of a split.
std::uint64_t near_duplicate_key(std::string_view text);

class MicroModel {
 public:
  static constexpr std::size_t kMostFileBytes = std::size_t{48} << 20;

  struct Prediction {
    std::string answer;         // empty where there is none to give
    double p_right = 0;         // calibrated; 0 where novel or without an answer
    bool novel = false;         // the text says too little that is familiar
    std::uint32_t cluster = 0;  // the class, or which fields were answered: for evidence by cluster
  };

  /// kInvalidArgument where fewer than Form::kFewestExamples answers fit the form.
  static Result<MicroModel> train(std::span<const Example> examples, const Form& form);

  Prediction predict(std::string_view text) const;
  /// Each answer with how likely it is, not calibrated; empty unless the form is one closed field.
  std::vector<std::pair<std::string, double>> weights(std::string_view text) const;
  const Form& form() const { return form_; }
  /// Of the answers learnt from, the share given most: 1 where all were the same.
  double commonest_share() const { return commonest_share_; }

  /// A checksum, a version, the parts; whole or not at all. kCorrupt for anything else.
  std::string encode() const;
  static Result<MicroModel> decode(std::string_view bytes);

 private:
  struct Reading;
  struct Row;
  struct Raw {
    Form::Values values;
    std::uint32_t structure = 0;  // hash of which classes and which words
    Signs signs;
    std::uint32_t cluster = 0;
  };
  struct Alike {
    std::uint32_t structure = 0;
    std::uint16_t count = 0;
  };
  struct Closed {
    std::uint32_t field = 0;
    std::vector<std::int32_t> classes;  // index into the field's values; −1: absent
    LogisticModel model;
  };

  void fit_heads(std::span<const Row* const> rows);
  void fit_calibration(std::span<const Row> rows);
  std::optional<Raw> read(std::string_view text) const;
  bool read_closed(const Closed& head, std::string_view text, Raw& raw) const;
  bool read_spans(std::string_view text, Raw& raw) const;
  double agreement(std::uint64_t key, std::uint32_t structure) const;
  Result<> take_state(std::string_view& bytes);
  Result<> take_heads(std::string_view& bytes);

  Form form_;
  std::vector<Closed> closed_;
  std::vector<std::uint32_t> span_fields_;
  SpanTagger tagger_;
  TextFeatures vocabulary_;
  std::unordered_map<std::uint64_t, std::vector<Alike>> alike_;  // by near-duplicate key
  Calibration calibration_;
  float familiarity_floor_ = 0;
  float commonest_share_ = 1;
};

}  // namespace minimill::distill
