#include "cloud/dialect_rules.h"

#include <algorithm>

namespace minimill::cloud {
namespace {

/// The name itself, its dated forms, or, with "*" at the end, whatever begins so.
bool is_of(std::string_view model, std::string_view family) {
  const bool open = family.ends_with('*');
  if (open) family.remove_suffix(1);
  if (!model.starts_with(family)) return false;
  const std::string_view rest = model.substr(family.size());
  const bool dated =
      rest.size() > 1 && (rest[0] == '-' || rest[0] == '@') && rest[1] >= '0' && rest[1] <= '9';
  return open || rest.empty() || dated;
}

bool is_about(const DialectRule& rule, std::string_view provider, std::string_view model) {
  const auto has_model = [model](std::string_view family) { return is_of(model, family); };
  return rule.provider == provider &&
         (rule.models.empty() || std::ranges::any_of(rule.models, has_model));
}

}  // namespace

std::optional<protocol::Dialect> parse_wants(std::string_view text) {
  protocol::Dialect dialect;
  if (text == "nothing") return dialect;
  if (text == "max_completion_tokens") {
    dialect.max_completion_tokens = true;
  } else if (text == "effort_none") {
    dialect.effort_none = true;
  } else if (text == "one_system_message") {
    dialect.one_system_message = true;
  } else {
    return std::nullopt;
  }
  return dialect;
}

protocol::Dialect dialect_of(std::span<const DialectRule> rules, std::string_view provider,
                             std::string_view model) {
  protocol::Dialect all;
  for (const DialectRule& rule : rules) {
    if (!is_about(rule, provider, model)) continue;
    all.max_completion_tokens = all.max_completion_tokens || rule.wants.max_completion_tokens;
    all.effort_none = all.effort_none || rule.wants.effort_none;
    all.one_system_message = all.one_system_message || rule.wants.one_system_message;
  }
  return all;
}

}  // namespace minimill::cloud
