#pragma once

// Forgiving access to a backend's answer: a field that is missing or of another type counts as not
// there. Requests are read with base's Fields instead, which names what is wrong.

#include <boost/json.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace minimill::protocol {

/// A model that numbers its tool calls beyond this is broken.
inline constexpr std::int64_t kMaxToolCalls = 128;

std::string_view text_in(const boost::json::object& object, std::string_view key);
const boost::json::object* object_in(const boost::json::object& object, std::string_view key);
const boost::json::array* array_in(const boost::json::object& object, std::string_view key);

/// A number of tokens; nullopt also for one that no answer can have, so that sums stay in range.
std::optional<std::int64_t> tokens_in(const boost::json::object& object, std::string_view key);

/// The arguments of a tool call as JSON text; some servers send the object itself.
std::string arguments_in(const boost::json::object& object, std::string_view key);

}  // namespace minimill::protocol
