#pragma once

// What models cost. USD per million tokens, by model name, from a built-in list (with the date it
// was read) and the user's own [prices] on top.

#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "chat/chat_event.h"

namespace minimill::cloud {

struct Price {
  double input_usd_per_mtok = 0;
  double cached_input_usd_per_mtok = 0;
  double output_usd_per_mtok = 0;
  bool operator==(const Price&) const = default;
};

class PriceTable {
 public:
  /// The models of the built-in list.
  PriceTable();

  void set(std::string model, Price price);
  /// By exact name, else by the longest listed name that `model` starts with followed by '-' or '@'
  /// ("gpt-4o-mini-2024-07-18" costs what "gpt-4o-mini" does); nullopt where unknown.
  std::optional<Price> find(std::string_view model) const;
  /// 0 where the price is unknown.
  double cost_usd(std::string_view model, const chat::Usage& usage) const;

 private:
  std::map<std::string, Price, std::less<>> prices_;
};

}  // namespace minimill::cloud
