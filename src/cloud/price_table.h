#pragma once

// What models cost. USD per million tokens, by model name: the catalogue's, with the user's own
// [prices] on top.

#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "chat/chat_event.h"
#include "cloud/catalogue.h"

namespace minimill::cloud {

class PriceTable {
 public:
  /// The built-in catalogue's models.
  PriceTable();
  explicit PriceTable(const Catalogue& catalogue);

  /// `model` is a model's name, wherever it is served, or "provider/model".
  void set(std::string model, Price price);
  /// By exact name, else by the longest listed name that `model` starts with followed by '-' or '@'
  /// ("gpt-4o-mini-2024-07-18" costs what "gpt-4o-mini" does); nullopt where unknown.
  std::optional<Price> find(std::string_view model) const;
  /// What `provider` takes for it: its own price where one is listed, else the model's.
  std::optional<Price> find(std::string_view provider, std::string_view model) const;
  /// 0 where the price is unknown.
  double cost_usd(std::string_view model, const chat::Usage& usage) const;
  double cost_usd(std::string_view provider, std::string_view model,
                  const chat::Usage& usage) const;

  /// What `provider`'s batch API takes for it, as a share of its price: what is said of the model,
  /// else of the provider; 1 where nothing is.
  double batch_price_factor(std::string_view provider, std::string_view model) const;
  double batch_cost_usd(std::string_view provider, std::string_view model,
                        const chat::Usage& usage) const;
  void set_batch_price_factor(std::string provider, double factor);

 private:
  using Prices = std::map<std::string, Price, std::less<>>;
  struct Match {
    std::size_t size = 0;  // of the listed name
    Price price;
  };
  static std::optional<Match> match(const Prices& prices, std::string_view name);

  Prices own_;                                                      // the user's
  Prices listed_;                                                   // the catalogue's
  std::map<std::string, double, std::less<>> batch_price_factors_;  // by provider
};

double cost_usd(const Price& price, const chat::Usage& usage);

}  // namespace minimill::cloud
