#include "serve/model_selector.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <charconv>
#include <utility>

namespace minimill::serve {
namespace {

std::unexpected<Error> fail_no_model(std::string_view asked,
                                     const std::vector<std::string>& names) {
  return std::unexpected(Error{
      .code = ErrorCode::kNotFound,
      .message = fmt::format("no model '{}'", asked),
      .hint = fmt::format("use one of {}, or get it with: minimill pull", fmt::join(names, ", ")),
      .field = "model",
      .retry_after = {}});
}

constexpr std::string_view kAutoOptions = "auto:";

/// "quality=0.95".
Result<policy::ModelChoice> parse_auto(std::string_view options) {
  constexpr std::string_view kQuality = "quality=";
  double quality = -1;
  if (options.starts_with(kQuality)) {
    const std::string_view number = options.substr(kQuality.size());
    const auto [end, error] =
        std::from_chars(number.data(), number.data() + number.size(), quality);
    if (error != std::errc{} || end != number.data() + number.size()) quality = -1;
  }
  if (!(quality >= 0 && quality <= 1)) {
    return fail_field("model", fmt::format("'auto:{}' is not understood", options),
                      "write auto:quality=0.95, from 0 (all on the device) to 1 (hardly anything)");
  }
  return policy::ModelChoice{.lane = {}, .model = {}, .quality = quality};
}

}  // namespace

ModelSelector::ModelSelector(Engines& engines, std::vector<cloud::Provider*> providers)
    : engines_(engines), providers_(std::move(providers)) {}

Result<policy::ModelChoice> ModelSelector::resolve(std::string_view asked) const {
  if (asked == kAuto) return policy::ModelChoice{};
  if (asked.starts_with(kAutoOptions)) return parse_auto(asked.substr(kAutoOptions.size()));
  if (asked == kLocal)
    return policy::ModelChoice{.lane = chat::Lane::kLocal, .model = {}, .quality = {}};
  if (asked == kCloud)
    return policy::ModelChoice{.lane = chat::Lane::kCloud, .model = {}, .quality = {}};
  if (provider_of(asked) != nullptr) {
    return policy::ModelChoice{
        .lane = chat::Lane::kCloud, .model = std::string(asked), .quality = {}};
  }
  // A path to a model file is for the configuration; over HTTP it would let apps read the disk.
  const bool is_path = asked.find('/') != std::string_view::npos;
  if (asked == engines_.default_model() || (!is_path && engines_.find(asked))) {
    return policy::ModelChoice{
        .lane = chat::Lane::kLocal, .model = std::string(asked), .quality = {}};
  }
  // As Ollama's clients complete a name that has no tag.
  constexpr std::string_view kLatest = ":latest";
  if (asked.ends_with(kLatest)) return resolve(asked.substr(0, asked.size() - kLatest.size()));
  std::vector<std::string> names{std::string(kAuto), std::string(kLocal), std::string(kCloud)};
  for (std::string& name : engines_.model_names()) names.push_back(std::move(name));
  for (const cloud::Provider* provider : providers_) {
    for (const std::string& model : provider->options().models) names.push_back(model);
  }
  return fail_no_model(asked, names);
}

std::string ModelSelector::default_model(chat::Lane lane) const {
  if (lane == chat::Lane::kLocal) return engines_.default_model();
  return providers_.empty() ? std::string{} : providers_.front()->options().models.front();
}

cloud::Provider* ModelSelector::provider_of(std::string_view model) const {
  for (cloud::Provider* provider : providers_) {
    if (provider->serves(model)) return provider;
  }
  return nullptr;
}

}  // namespace minimill::serve
