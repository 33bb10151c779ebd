#include "cloud/price_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace minimill::cloud {
namespace {

constexpr double kTokensPerMtok = 1e6;

}  // namespace

PriceTable::PriceTable() : PriceTable(Catalogue::built_in()) {}

PriceTable::PriceTable(const Catalogue& catalogue) {
  for (const CatalogueProvider& provider : catalogue.providers()) {
    set_batch_price_factor(provider.name, provider.batch_price_factor);
    for (const CatalogueModel& model : provider.models) {
      if (!model.price) continue;
      for (const std::string& name : {model.name, model.family}) {
        if (name.empty()) continue;
        listed_.insert_or_assign(fmt::format("{}/{}", provider.name, name), *model.price);
        listed_.emplace(name, *model.price);  // of several providers', the first's
      }
    }
  }
}

void PriceTable::set(std::string model, Price price) {
  own_.insert_or_assign(std::move(model), price);
}

std::optional<PriceTable::Match> PriceTable::match(const Prices& prices, std::string_view name) {
  // From the whole name down, a part at a time: several times a request, and lists are long.
  std::size_t size = name.size();
  while (size > 0 && size != std::string_view::npos) {
    const auto listed = prices.find(name.substr(0, size));
    if (listed != prices.end()) return Match{.size = size, .price = listed->second};
    size = name.find_last_of("-@", size - 1);
  }
  return std::nullopt;
}

std::optional<Price> PriceTable::find(std::string_view model) const { return find({}, model); }

std::optional<Price> PriceTable::find(std::string_view provider, std::string_view model) const {
  const std::string prefix = provider.empty() ? std::string{} : fmt::format("{}/", provider);
  const std::string at_provider = prefix + std::string(model);
  // The most exact name, and where two are equally so, the one that is named first here.
  std::optional<Match> best;
  const auto consider = [&best](std::optional<Match> found, std::size_t prefix_size) {
    if (!found || found->size <= prefix_size) return;
    found->size -= prefix_size;
    if (!best || found->size > best->size) best = found;
  };
  if (!prefix.empty()) consider(match(own_, at_provider), prefix.size());
  consider(match(own_, model), 0);
  if (!prefix.empty()) consider(match(listed_, at_provider), prefix.size());
  consider(match(listed_, model), 0);
  return best ? std::optional(best->price) : std::nullopt;
}

double cost_usd(const Price& price, const chat::Usage& usage) {
  const std::int64_t cached = std::clamp<std::int64_t>(
      usage.cached_prompt_tokens, 0, std::max<std::int64_t>(0, usage.prompt_tokens));
  const std::int64_t rest = std::max<std::int64_t>(0, usage.prompt_tokens - cached);
  const std::int64_t kept_1h = std::clamp<std::int64_t>(usage.cache_write_1h_tokens, 0, rest);
  const std::int64_t kept_5m =
      std::clamp<std::int64_t>(usage.cache_write_5m_tokens, 0, rest - kept_1h);
  constexpr double kFor5m = 1.25;
  constexpr double kFor1h = 2;
  return (static_cast<double>(rest - kept_5m - kept_1h) * price.input_usd_per_mtok +
          static_cast<double>(kept_5m) *
              price.cache_write_5m_usd_per_mtok.value_or(kFor5m * price.input_usd_per_mtok) +
          static_cast<double>(kept_1h) *
              price.cache_write_1h_usd_per_mtok.value_or(kFor1h * price.input_usd_per_mtok) +
          static_cast<double>(cached) * price.cached_input_usd_per_mtok +
          static_cast<double>(usage.completion_tokens) * price.output_usd_per_mtok) /
         kTokensPerMtok;
}

void PriceTable::set_batch_price_factor(std::string provider, double factor) {
  batch_price_factors_.insert_or_assign(std::move(provider), factor);
}

double PriceTable::batch_price_factor(std::string_view provider, std::string_view model) const {
  const std::optional<Price> price = find(provider, model);
  if (price && price->batch_price_factor) return *price->batch_price_factor;
  const auto found = batch_price_factors_.find(provider);
  return found == batch_price_factors_.end() ? 1 : found->second;
}

double PriceTable::batch_cost_usd(std::string_view provider, std::string_view model,
                                  const chat::Usage& usage) const {
  return batch_price_factor(provider, model) * cost_usd(provider, model, usage);
}

double PriceTable::cost_usd(std::string_view model, const chat::Usage& usage) const {
  const std::optional<Price> price = find(model);
  return price ? cloud::cost_usd(*price, usage) : 0;
}

double PriceTable::cost_usd(std::string_view provider, std::string_view model,
                            const chat::Usage& usage) const {
  const std::optional<Price> price = find(provider, model);
  return price ? cloud::cost_usd(*price, usage) : 0;
}

}  // namespace minimill::cloud
