#pragma once

// A decision's reasons as the text of one column, and back.

#include <string>
#include <string_view>
#include <vector>

#include "chat/decision.h"

namespace minimill::ledger {

std::string reasons_to_text(const std::vector<chat::Reason>& reasons);
/// Text that is none of ours gives no reasons.
std::vector<chat::Reason> reasons_from_text(std::string_view text);

}  // namespace minimill::ledger
