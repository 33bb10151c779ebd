#pragma once

// multipart/form-data (RFC 7578), read: what a file is uploaded in.

#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace minimill::simcloud {

struct FormPart {
  std::string name;
  std::string filename;  // empty for plain fields
  std::string_view content;
};

/// The parts of `body`, whose content they point into. `content_type` names the boundary.
Result<std::vector<FormPart>> parse_form(std::string_view content_type, std::string_view body);

}  // namespace minimill::simcloud
