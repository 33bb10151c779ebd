#pragma once

// Who asks, and whose rows they may see and change.

#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace minimill::policy {

/// Either one app's, or everybody's: the machine's owner's. What is stored carries its app's name;
/// "" is what the owner stored without a key.
class Scope {
 public:
  static Scope everything() { return Scope(std::nullopt); }
  static Scope of_app(std::string app) { return Scope(std::move(app)); }

  bool covers(std::string_view app) const { return !app_ || *app_ == app; }
  /// For SQL: "(?1 IS NULL OR app = ?1)".
  const std::optional<std::string>& app() const { return app_; }
  /// What a row made by whoever asks carries.
  std::string owner_of_new() const { return app_.value_or(""); }

 private:
  explicit Scope(std::optional<std::string> app) : app_(std::move(app)) {}
  std::optional<std::string> app_;
};

}  // namespace minimill::policy
