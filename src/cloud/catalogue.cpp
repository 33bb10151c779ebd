#include "cloud/catalogue.h"

#include <fmt/format.h>
#include <toml++/toml.h>

#include <algorithm>
#include <cstdlib>
#include <utility>

#include "settings/toml_reader.h"

namespace minimill::cloud {
namespace {

using settings::TomlErrors;
using settings::TomlReader;

constexpr std::string_view kBuiltIn =
#include "providers.inc"
    ;

constexpr double kMaxUsdPerMtok = 1e6;
constexpr std::string_view kBatchPriceFactor = "batch_price_factor";

CatalogueModel read_model(TomlReader table) {
  CatalogueModel model;
  model.name = table.required_string("name");
  model.family = table.string("family", "");
  if (table.has("input") || table.has("output")) {
    Price price;
    price.input_usd_per_mtok = table.number("input", 0, 0, kMaxUsdPerMtok);
    price.cached_input_usd_per_mtok =
        table.number("cached_input", price.input_usd_per_mtok, 0, kMaxUsdPerMtok);
    price.output_usd_per_mtok = table.number("output", 0, 0, kMaxUsdPerMtok);
    if (table.has(kBatchPriceFactor)) {
      price.batch_price_factor = table.number(kBatchPriceFactor, 1, 0, 1);
    }
    if (table.has("cache_write")) {
      price.cache_write_5m_usd_per_mtok = table.number("cache_write", 0, 0, kMaxUsdPerMtok);
    }
    if (table.has("cache_write_1h")) {
      price.cache_write_1h_usd_per_mtok = table.number("cache_write_1h", 0, 0, kMaxUsdPerMtok);
    }
    model.price = price;
  }
  table.finish();
  return model;
}

bool is_header_name(std::string_view name) {
  return std::ranges::all_of(name, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-';
  });
}

/// What the table says, on top of what was known of that provider.
void read_provider(TomlReader table, CatalogueProvider& provider) {
  const bool was_anthropic = provider.protocol == chat::Protocol::kAnthropic;
  const std::string protocol = table.string("protocol", was_anthropic ? "anthropic" : "openai");
  if (protocol != "openai" && protocol != "anthropic") {
    table.reject("protocol", fmt::format("no protocol '{}'", protocol), "use openai or anthropic");
  }
  provider.protocol =
      protocol == "anthropic" ? chat::Protocol::kAnthropic : chat::Protocol::kOpenAi;
  provider.base_url = table.string("base_url", provider.base_url);
  if (!provider.base_url.starts_with("http://") && !provider.base_url.starts_with("https://")) {
    table.reject("base_url",
                 fmt::format("'{}' is not an http:// or https:// URL", provider.base_url),
                 "a provider that is not built in needs one");
  }
  while (provider.base_url.ends_with('/')) provider.base_url.pop_back();
  provider.key_env = table.string("key_env", provider.key_env);
  provider.key_header = table.string("key_header", provider.key_header);
  if (!is_header_name(provider.key_header)) {
    table.reject("key_header", "is no header's name", "letters, digits and hyphens");
  }
  provider.read = table.string("read", provider.read);
  provider.batch_api = table.boolean("batch_api", provider.batch_api);
  provider.batch_price_factor = table.number(kBatchPriceFactor, provider.batch_price_factor, 0, 1);
  if (table.has("batch_discount")) {
    table.reject(
        "batch_discount", "is not taken off any more",
        "say what a batch costs: batch_price_factor = 0.7 is what batch_discount = 0.3 was");
  }
  for (TomlReader& entry : table.tables("models")) {
    CatalogueModel model = read_model(std::move(entry));
    const auto known = std::ranges::find(provider.models, model.name, &CatalogueModel::name);
    if (known != provider.models.end()) {
      *known = std::move(model);
    } else {
      provider.models.push_back(std::move(model));
    }
  }
  if (provider.models.size() > Catalogue::kMaxModels) {
    table.reject("models", fmt::format("lists over {} models", Catalogue::kMaxModels), "");
  }
  table.finish();
}

/// In the place of the rule of its name, where there is one.
void read_rule(TomlReader table, std::vector<DialectRule>& rules) {
  DialectRule rule;
  rule.name = table.required_string("name");
  rule.provider = table.required_string("provider");
  if (table.has("models")) rule.models = table.strings("models");
  const std::string wants = table.required_string("wants");
  if (const std::optional<protocol::Dialect> dialect = parse_wants(wants)) {
    rule.wants = *dialect;
  } else {
    table.reject("wants", fmt::format("no rule '{}'", wants),
                 "use max_completion_tokens, effort_none, one_system_message or nothing");
  }
  rule.source = table.string("source", "");
  rule.read = table.string("read", "");
  table.finish();
  const auto known = std::ranges::find(rules, rule.name, &DialectRule::name);
  if (known == rules.end()) {
    rules.push_back(std::move(rule));
  } else {
    *known = std::move(rule);
  }
}

}  // namespace

std::string_view Catalogue::built_in_text() { return kBuiltIn; }

const Catalogue& Catalogue::built_in() {
  static const Catalogue catalogue = [] {
    Catalogue listed;
    // Our own file: a unit test reads it, so that what is wrong with it never ships.
    if (!listed.add(kBuiltIn, "providers.toml")) std::abort();
    return listed;
  }();
  return catalogue;
}

Result<> Catalogue::add(std::string_view text, std::string_view source) {
  toml::table parsed;
  try {
    parsed = toml::parse(text, source);
  } catch (const toml::parse_error& error) {  // toml++ reports bad input only so
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("{}:{}:{}: {}", source, error.source().begin.line,
                            error.source().begin.column, error.description()));
  }
  TomlErrors errors;
  TomlReader root(parsed, "", std::string(source), errors);
  std::vector<CatalogueProvider> merged = providers_;
  for (TomlReader& table : root.tables("provider")) {
    const std::string name = table.required_string("name");
    auto known = std::ranges::find(merged, name, &CatalogueProvider::name);
    if (known == merged.end()) {
      merged.push_back({.name = name,
                        .protocol = chat::Protocol::kOpenAi,
                        .base_url = {},
                        .key_env = {},
                        .key_header = {},
                        .read = {},
                        .models = {}});
      known = merged.end() - 1;
    }
    read_provider(std::move(table), *known);
  }
  if (merged.size() > kMaxProviders) {
    root.reject("provider", fmt::format("lists over {} providers", kMaxProviders), "");
  }
  std::vector<DialectRule> rules = rules_;
  for (TomlReader& table : root.tables("rule")) read_rule(std::move(table), rules);
  if (rules.size() > kMaxRules) {
    root.reject("rule", fmt::format("lists over {} rules", kMaxRules), "");
  }
  root.finish();
  if (errors.first) return std::unexpected(std::move(*errors.first));
  providers_ = std::move(merged);
  rules_ = std::move(rules);
  return {};
}

const CatalogueProvider* Catalogue::find(std::string_view name) const {
  const auto found = std::ranges::find(providers_, name, &CatalogueProvider::name);
  return found == providers_.end() ? nullptr : &*found;
}

const CatalogueProvider* Catalogue::find_by_url(std::string_view base_url) const {
  const auto found = std::ranges::find(providers_, base_url, &CatalogueProvider::base_url);
  return found == providers_.end() ? nullptr : &*found;
}

}  // namespace minimill::cloud
