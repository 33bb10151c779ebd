#pragma once

// A package's page in a Python package index (PEP 503's HTML and PEP 691's JSON): the newest wheel,
// where it is and what its bytes hash to.

#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"

namespace minimill::models {

struct Wheel {
  std::string file_name;
  std::string url;  // absolute
  std::string sha256;
};

/// kNotFound where the page lists no wheel with a SHA-256. `page_url` resolves relative links.
Result<Wheel> newest_wheel(std::string_view page, std::string_view content_type,
                           std::string_view page_url);

}  // namespace minimill::models
