#include "base/log.h"

#include <fmt/format.h>
#include <spdlog/sinks/stdout_color_sinks.h>

#include <array>
#include <utility>

namespace minimill::log {

Result<> start(std::string_view level) {
  constexpr std::array<std::pair<std::string_view, spdlog::level::level_enum>, 4> kLevels{{
      {"error", spdlog::level::err},
      {"warn", spdlog::level::warn},
      {"info", spdlog::level::info},
      {"debug", spdlog::level::debug},
  }};
  for (const auto& [text, value] : kLevels) {
    if (text != level) continue;
    auto logger = std::make_shared<spdlog::logger>(
        "minimill", std::make_shared<spdlog::sinks::stderr_color_sink_mt>());
    logger->set_level(value);
    logger->set_pattern("%Y-%m-%dT%H:%M:%S.%e %^%l%$ %v");
    spdlog::set_default_logger(std::move(logger));
    return {};
  }
  return fail_field("log.level", fmt::format("no log level '{}'", level),
                    "use error, warn, info or debug");
}

}  // namespace minimill::log
