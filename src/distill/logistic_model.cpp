#include "distill/logistic_model.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <numeric>

#include "distill/shuffler.h"
#include "route/state_bytes.h"

namespace minimill::distill {
namespace {

constexpr float kFirstStep = 6.0F;
constexpr double kRidge = 2e-6;  // times examples: of the mean loss
constexpr int kFewestEpochs = 12;
constexpr int kMostEpochs = 60;
constexpr std::size_t kSteps = 120'000;  // examples seen in all, where that gives more epochs
constexpr float kNegligible = 1e-4F;     // gradients below it are not worth the memory traffic

void softmax(std::vector<float>& scores) {
  const float most = *std::ranges::max_element(scores);
  float sum = 0;
  for (float& score : scores) sum += score = std::exp(score - most);
  for (float& score : scores) score /= sum;
}

/// The model while it is trained.
struct Dense {
  std::size_t classes;
  std::vector<float> weights;
  std::vector<float> bias;
  float scale = 1;  // of all weights: the ridge penalty shrinks this alone

  void score(const std::vector<Term>& terms, std::vector<float>& scores) const {
    std::ranges::fill(scores, 0.0F);
    for (const Term& term : terms) {
      const float* row = weights.data() + (term.bucket * classes);
      for (std::size_t c = 0; c < classes; ++c) scores[c] += term.value * row[c];
    }
    for (std::size_t c = 0; c < classes; ++c) scores[c] = (scores[c] * scale) + bias[c];
    softmax(scores);
  }
  void step(const std::vector<Term>& terms, const std::vector<float>& error, float rate) {
    const float inner = rate / scale;
    for (const Term& term : terms) {
      float* row = weights.data() + (term.bucket * classes);
      const float move = inner * term.value;
      for (std::size_t c = 0; c < classes; ++c) row[c] -= move * error[c];
    }
    for (std::size_t c = 0; c < classes; ++c) bias[c] -= 0.1F * rate * error[c];
  }
  void shrink(float by) {
    scale *= by;
    if (scale > 1e-3F) return;
    for (float& weight : weights) weight *= scale;
    scale = 1;
  }
};

}  // namespace

LogisticModel LogisticModel::train(std::span<const Example> examples, std::size_t classes) {
  LogisticModel model;
  std::vector<std::string_view> texts;
  for (const Example& example : examples) texts.push_back(example.text);
  const auto most = std::max<std::size_t>(kMostWeights / std::max<std::size_t>(classes, 1), 1);
  model.features_ = TextFeatures::fit(texts, static_cast<std::uint32_t>(std::bit_width(most) - 1));
  std::vector<std::vector<Term>> terms;
  for (const std::string_view text : texts) terms.push_back(model.features_.of(text));

  Dense dense{.classes = classes,
              .weights = std::vector<float>(model.features_.size() * classes),
              .bias = std::vector<float>(classes)};
  std::vector<std::uint32_t> order(examples.size());
  std::iota(order.begin(), order.end(), 0U);
  Shuffler shuffler(1);
  const int epochs = examples.empty() ? 0
                                      : std::clamp(static_cast<int>(kSteps / examples.size()),
                                                   kFewestEpochs, kMostEpochs);
  const double steps = static_cast<double>(epochs) * static_cast<double>(examples.size());
  double done = 0;
  std::vector<float> scores(classes);
  for (int epoch = 0; epoch < epochs; ++epoch) {
    shuffler.shuffle(order);
    for (const std::uint32_t i : order) {
      // Falls to nought in a straight line: the last steps average as Polyak's mean would.
      const auto rate = static_cast<float>(kFirstStep * (1 - (done++ / steps)));
      dense.score(terms[i], scores);
      scores[examples[i].label] -= 1;
      for (float& error : scores) {
        error = std::abs(error) < kNegligible ? 0 : error * examples[i].weight;
      }
      dense.shrink(static_cast<float>(1 - (rate * kRidge)));
      dense.step(terms[i], scores, rate);
    }
  }

  model.bias_ = dense.bias;
  model.scale_.assign(classes, 1e-6F);
  for (std::size_t i = 0; i < dense.weights.size(); ++i) {
    float& scale = model.scale_[i % classes];
    scale = std::max(scale, std::abs(dense.weights[i] * dense.scale) / 127);
  }
  model.weights_.resize(dense.weights.size());
  for (std::size_t i = 0; i < dense.weights.size(); ++i) {
    model.weights_[i] = static_cast<std::int8_t>(
        std::lround(dense.weights[i] * dense.scale / model.scale_[i % classes]));
  }
  return model;
}

std::vector<float> LogisticModel::predict(std::string_view text) const {
  std::vector<float> scores(classes());
  if (scores.empty()) return scores;
  for (const Term& term : features_.of(text)) {
    const std::int8_t* row = weights_.data() + (term.bucket * scores.size());
    for (std::size_t c = 0; c < scores.size(); ++c) {
      scores[c] += term.value * static_cast<float>(row[c]);
    }
  }
  for (std::size_t c = 0; c < scores.size(); ++c) scores[c] = (scores[c] * scale_[c]) + bias_[c];
  softmax(scores);
  return scores;
}

void LogisticModel::append_state(std::string& out) const {
  features_.append_state(out);
  route::append_number(out, static_cast<std::uint32_t>(classes()));
  for (const float bias : bias_) route::append_number(out, bias);
  for (const float scale : scale_) route::append_number(out, scale);
  route::append_numbers(out, weights_);
}

Result<> LogisticModel::take_state(std::string_view& bytes) {
  if (Result<> taken = features_.take_state(bytes); !taken) return taken;
  const auto damaged = [] { return fail(ErrorCode::kCorrupt, "the model's weights are damaged"); };
  std::uint32_t count = 0;
  if (!route::take_number(bytes, count) || count > kMostClasses ||
      std::size_t{count} * features_.size() > kMostWeights) {
    return damaged();
  }
  bias_.assign(count, 0);
  scale_.assign(count, 0);
  for (float& bias : bias_) {
    if (!route::take_number(bytes, bias)) return damaged();
  }
  for (float& scale : scale_) {
    if (!route::take_number(bytes, scale)) return damaged();
  }
  weights_.assign(std::size_t{count} * features_.size(), 0);
  if (!route::take_numbers(bytes, weights_)) return damaged();
  return {};
}

}  // namespace minimill::distill
