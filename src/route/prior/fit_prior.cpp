#include "route/prior/fit_prior.h"

#include <fmt/format.h>

#include <fstream>

#include "base/json.h"

namespace minimill::route {
namespace {

constexpr int kSteps = 3000;
constexpr double kStepSize = 0.5;
constexpr double kRidge = 0.01;

}  // namespace

Result<std::vector<Example>> read_examples(const std::string& path) {
  std::ifstream in(path);
  if (!in) return fail(ErrorCode::kNotFound, fmt::format("cannot open {}", path));
  std::vector<Example> examples;
  std::string line;
  while (std::getline(in, line)) {
    Result<json::object> object = parse_json_object(line);
    if (!object) return std::unexpected(std::move(object.error()).context(path));
    Fields fields(*object);
    RouteInput input;
    input.text = fields.required_string("prompt");
    const bool local_ok = fields.bool_or("local_ok", false);
    if (!fields.ok()) return std::unexpected(std::move(fields).error().context(path));
    examples.push_back({.features = extract_features(input), .local_ok = local_ok});
  }
  return examples;
}

double prior_score(const Prior& prior, const Features& features) {
  double score = prior.bias;
  for (std::size_t i = 0; i < kDenseCount; ++i) score += prior.dense[i] * features.dense[i];
  return score;
}

Prior fit_prior(const std::vector<Example>& examples) {
  Prior prior;
  const auto count = static_cast<double>(examples.size());
  for (int step = 0; step < kSteps; ++step) {
    Prior gradient;
    for (const Example& example : examples) {
      const double error =
          sigmoid(prior_score(prior, example.features)) - (example.local_ok ? 1.0 : 0.0);
      gradient.bias += error / count;
      for (std::size_t i = 0; i < kDenseCount; ++i) {
        gradient.dense[i] += error * example.features.dense[i] / count;
      }
    }
    prior.bias -= kStepSize * gradient.bias;
    for (std::size_t i = 0; i < kDenseCount; ++i) {
      prior.dense[i] -= kStepSize * (gradient.dense[i] + kRidge * prior.dense[i]);
    }
  }
  return prior;
}

std::string prior_source(const Prior& prior) {
  std::string out = "    // Written by scripts/train_prior from src/route/prior/prompts.jsonl.\n";
  out += fmt::format("    .bias = {:.4f},\n    .dense = {{\n", prior.bias);
  for (std::size_t i = 0; i < kDenseCount; ++i) {
    out += fmt::format("        {:.4f},  // {}\n", prior.dense[i], feature_name(i).id);
  }
  return out + "    }\n";
}

}  // namespace minimill::route
