#pragma once

// The JSON object in a model's answer, which may stand in a ```json fence or in prose.

#include <boost/json.hpp>
#include <optional>
#include <string_view>

namespace minimill::lane {

/// The first complete top-level object; nullopt where there is none. Linear in the text.
std::optional<boost::json::object> json_object_in(std::string_view text);

}  // namespace minimill::lane
