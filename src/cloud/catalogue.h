#pragma once

// The cloud providers that are known by name: protocol, base URL, where the key is looked for, and
// models with their list prices. Built in from providers.toml and rules.toml, which say what each
// key means; users override it and add to it with a file of the same form.
//
//   Catalogue catalogue = Catalogue::built_in();
//   Result<> added = catalogue.add(text, "providers.toml");   // "providers.toml:12: provider.…"
//   const CatalogueProvider* groq = catalogue.find("groq");

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "chat/chat_request.h"
#include "cloud/dialect_rules.h"

namespace minimill::cloud {

/// USD per million tokens.
struct Price {
  double input_usd_per_mtok = 0;
  double cached_input_usd_per_mtok = 0;
  double output_usd_per_mtok = 0;
  std::optional<double> batch_price_factor = {};  // of this model alone; nullopt: the provider's
  /// Of tokens that the provider is to keep for so long. Unset: as Anthropic does it, 1.25 and 2
  /// times the input's; others tell of no such tokens.
  std::optional<double> cache_write_5m_usd_per_mtok = std::nullopt;
  std::optional<double> cache_write_1h_usd_per_mtok = std::nullopt;
  bool operator==(const Price&) const = default;
};

struct CatalogueModel {
  std::string name;
  std::string family;          // priced alike: names that begin so; empty: the name itself
  std::optional<Price> price;  // nullopt: not told
  bool operator==(const CatalogueModel&) const = default;
};

struct CatalogueProvider {
  std::string name;
  chat::Protocol protocol = chat::Protocol::kOpenAi;
  std::string base_url;           // with a part in braces where the user has to fill something in
  std::string key_env;            // empty: it needs no key
  std::string key_header;         // empty: the protocol's own
  std::string read;               // when the prices were read, "2025-08"
  bool batch_api = false;         // the protocol's own batch API is there
  double batch_price_factor = 1;  // what a batch costs, as a share of these prices
  std::vector<CatalogueModel> models;  // the first is the default
  bool operator==(const CatalogueProvider&) const = default;

  /// The base URL has a part that only the user knows.
  bool is_template() const { return base_url.find('{') != std::string::npos; }
};

class Catalogue {
 public:
  static constexpr std::size_t kMaxProviders = 256;
  static constexpr std::size_t kMaxModels = 1024;  // each
  static constexpr std::size_t kMaxRules = 1024;

  static const Catalogue& built_in();
  /// The files that built_in() was made of, in one, for users to edit a copy.
  static std::string_view built_in_text();

  /// Overrides what is listed and adds what is not; where it fails, nothing has changed. Errors
  /// name `source`, the line and the key.
  Result<> add(std::string_view toml, std::string_view source);

  const CatalogueProvider* find(std::string_view name) const;
  /// The one that is at this address, whatever it is called here.
  const CatalogueProvider* find_by_url(std::string_view base_url) const;
  const std::vector<CatalogueProvider>& providers() const { return providers_; }
  /// What providers want otherwise than their protocols say.
  const std::vector<DialectRule>& rules() const { return rules_; }

 private:
  std::vector<CatalogueProvider> providers_;
  std::vector<DialectRule> rules_;
};

}  // namespace minimill::cloud
