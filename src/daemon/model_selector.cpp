#include "daemon/model_selector.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <utility>

namespace minimill::daemon {
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

}  // namespace

ModelSelector::ModelSelector(Engines& engines, std::vector<cloud::Provider*> providers)
    : engines_(engines), providers_(std::move(providers)) {}

Result<ModelChoice> ModelSelector::resolve(std::string_view asked) const {
  if (asked == kAuto) return ModelChoice{};
  if (asked == kLocal) return ModelChoice{.lane = route::Lane::kLocal, .model = {}};
  if (asked == kCloud) return ModelChoice{.lane = route::Lane::kCloud, .model = {}};
  if (provider_of(asked) != nullptr) {
    return ModelChoice{.lane = route::Lane::kCloud, .model = std::string(asked)};
  }
  // A path to a model file is for the configuration; over HTTP it would let apps read the disk.
  const bool is_path = asked.find('/') != std::string_view::npos;
  if (asked == engines_.default_model() || (!is_path && engines_.find(asked))) {
    return ModelChoice{.lane = route::Lane::kLocal, .model = std::string(asked)};
  }
  std::vector<std::string> names{std::string(kAuto), std::string(kLocal), std::string(kCloud)};
  for (std::string& name : engines_.model_names()) names.push_back(std::move(name));
  for (const cloud::Provider* provider : providers_) {
    for (const std::string& model : provider->options().models) names.push_back(model);
  }
  return fail_no_model(asked, names);
}

std::string ModelSelector::default_model(route::Lane lane) const {
  if (lane == route::Lane::kLocal) return engines_.default_model();
  return providers_.empty() ? std::string{} : providers_.front()->options().models.front();
}

cloud::Provider* ModelSelector::provider_of(std::string_view model) const {
  for (cloud::Provider* provider : providers_) {
    if (provider->serves(model)) return provider;
  }
  return nullptr;
}

}  // namespace minimill::daemon
