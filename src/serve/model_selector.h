#pragma once

// Which model in a lane, and what the names apps ask for mean: "auto", "local" and "cloud" leave
// the choice to minimill, a real name makes it.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "chat/decision.h"
#include "cloud/provider.h"
#include "serve/engines.h"

namespace minimill::serve {

inline constexpr std::string_view kAuto = "auto";
inline constexpr std::string_view kLocal = "local";
inline constexpr std::string_view kCloud = "cloud";

/// What a name leaves open: the lane (no `lane`) or the model in it (`model` empty).
struct ModelChoice {
  std::optional<chat::Lane> lane;
  std::string model;
  std::optional<double>
      quality;  // "auto:quality=0.95": the chance of a good answer asked of the device
};

class ModelSelector {
 public:
  ModelSelector(Engines& engines, std::vector<cloud::Provider*> providers);

  /// kNotFound for a name that is no virtual, local or provider's model, listing what there is.
  Result<ModelChoice> resolve(std::string_view asked) const;

  /// The model that serves a lane when the app named none. Empty where the lane has none.
  std::string default_model(chat::Lane lane) const;
  /// The provider of a cloud model, nullptr where nobody serves it.
  cloud::Provider* provider_of(std::string_view model) const;
  bool cloud_available() const { return !providers_.empty(); }
  const std::vector<cloud::Provider*>& providers() const { return providers_; }

 private:
  Engines& engines_;
  std::vector<cloud::Provider*> providers_;
};

}  // namespace minimill::serve
