#pragma once

// Who wants what otherwise than the protocol says: rules.toml's table, as read. The catalogue holds
// the rules; a provider asks them for each request, as models of one provider differ.
//
//   protocol::Dialect dialect = dialect_of(rules, "openai", "gpt-5-mini");

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/dialect.h"

namespace minimill::cloud {

struct DialectRule {
  std::string name;
  std::string provider;             // the configuration's name for it
  std::vector<std::string> models;  // empty: all of the provider's
  protocol::Dialect wants;
  std::string source;  // where that is written
  std::string read;    // when it was read there, "2025-08"
  bool operator==(const DialectRule&) const = default;
};

/// "max_completion_tokens" and so on, as rules.toml explains them; nullopt for another word.
std::optional<protocol::Dialect> parse_wants(std::string_view text);

/// All that the rules for the model say, together.
protocol::Dialect dialect_of(std::span<const DialectRule> rules, std::string_view provider,
                             std::string_view model);

}  // namespace minimill::cloud
