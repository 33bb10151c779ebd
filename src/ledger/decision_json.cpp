#include "ledger/decision_json.h"

#include <fmt/format.h>

#include "base/json.h"

namespace minimill::ledger {

std::string reasons_to_text(const std::vector<chat::Reason>& reasons) {
  std::string text = "[";
  for (const chat::Reason& reason : reasons) {
    if (text.size() > 1) text += ',';
    text += '[';
    append_json_string(text, reason.layer);
    text += ',';
    append_json_string(text, reason.text);
    fmt::format_to(std::back_inserter(text), ",{:.4g}]", reason.weight);
  }
  text += ']';
  return text;
}

std::vector<chat::Reason> reasons_from_text(std::string_view text) {
  std::vector<chat::Reason> reasons;
  const Result<json::value> parsed = parse_json(text);
  if (!parsed || !parsed->is_array()) return reasons;
  constexpr std::size_t kParts = 3;
  for (const json::value& each : parsed->get_array()) {
    const json::array* parts = each.if_array();
    const bool ours = parts != nullptr && parts->size() == kParts && (*parts)[0].is_string() &&
                      (*parts)[1].is_string() && (*parts)[2].is_number();
    if (!ours) continue;
    reasons.push_back({.layer = std::string((*parts)[0].get_string()),
                       .text = std::string((*parts)[1].get_string()),
                       .weight = (*parts)[2].to_number<double>()});
  }
  return reasons;
}

}  // namespace minimill::ledger
