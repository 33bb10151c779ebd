#pragma once

// Where pip is configured to get packages from: a company's mirror, often. Environment variables
// first, then the configuration files in pip's order of precedence (pip's documentation,
// "Configuration").

#include <functional>
#include <string>
#include <string_view>

namespace minimill::models {

struct PipConfig {
  std::string index_url = "https://pypi.org/simple";
  std::string ca_file;  // empty: the system's
};

/// `variable` gives an environment variable, `read_file` a file's text; both "" where there is
/// none.
PipConfig read_pip_config(const std::function<std::string(std::string_view)>& variable,
                          const std::function<std::string(const std::string&)>& read_file);

/// This process's.
PipConfig pip_config();

}  // namespace minimill::models
