#include "cloud/price_table.h"

#include <array>
#include <utility>

namespace minimill::cloud {
namespace {

struct Listed {
  std::string_view model;
  Price price;  // input, cached input, output; USD per million tokens
};

// Providers' public list prices as known in 2025-08; [prices] in the configuration overrides them.
constexpr std::array kListed{
    Listed{"gpt-4o", {2.50, 1.25, 10.00}},
    Listed{"gpt-4o-mini", {0.15, 0.075, 0.60}},
    Listed{"gpt-4.1", {2.00, 0.50, 8.00}},
    Listed{"gpt-4.1-mini", {0.40, 0.10, 1.60}},
    Listed{"gpt-4.1-nano", {0.10, 0.025, 0.40}},
    Listed{"gpt-5", {1.25, 0.125, 10.00}},
    Listed{"gpt-5-mini", {0.25, 0.025, 2.00}},
    Listed{"gpt-5-nano", {0.05, 0.005, 0.40}},
    Listed{"o3", {2.00, 0.50, 8.00}},
    Listed{"o4-mini", {1.10, 0.275, 4.40}},
    Listed{"claude-opus-4", {15.00, 1.50, 75.00}},
    Listed{"claude-sonnet-4", {3.00, 0.30, 15.00}},
    Listed{"claude-3-7-sonnet", {3.00, 0.30, 15.00}},
    Listed{"claude-3-5-sonnet", {3.00, 0.30, 15.00}},
    Listed{"claude-3-5-haiku", {0.80, 0.08, 4.00}},
    // The simulated cloud's, priced like a large model so that its reports mean something.
    Listed{"sim-large", {2.50, 1.25, 10.00}},
};

constexpr double kTokensPerMtok = 1e6;

}  // namespace

PriceTable::PriceTable() {
  for (const Listed& listed : kListed) prices_.emplace(listed.model, listed.price);
}

void PriceTable::set(std::string model, Price price) {
  prices_.insert_or_assign(std::move(model), price);
}

std::optional<Price> PriceTable::find(std::string_view model) const {
  std::optional<Price> best;
  std::size_t best_size = 0;
  for (const auto& [name, price] : prices_) {
    if (!model.starts_with(name) || name.size() < best_size) continue;
    const bool whole = model.size() == name.size();
    if (!whole && model[name.size()] != '-' && model[name.size()] != '@') continue;
    best = price;
    best_size = name.size();
  }
  return best;
}

double PriceTable::cost_usd(std::string_view model, const chat::Usage& usage) const {
  const std::optional<Price> price = find(model);
  if (!price) return 0;
  const auto fresh = static_cast<double>(usage.prompt_tokens - usage.cached_prompt_tokens);
  return (fresh * price->input_usd_per_mtok +
          static_cast<double>(usage.cached_prompt_tokens) * price->cached_input_usd_per_mtok +
          static_cast<double>(usage.completion_tokens) * price->output_usd_per_mtok) /
         kTokensPerMtok;
}

}  // namespace minimill::cloud
