#pragma once

// What becomes of each field on its way to each kind of backend: the one table behind the requests
// we write, the headers of the answer, and docs/translation.md. Nothing is dropped in silence: what
// a backend has no counterpart for is refused where the answer would be another, and named in
// x-minimill-left-out where it would not.
//
//   Result<Fit> fit = fit_request(request, Target::kAnthropic);   // before it is written

#include <array>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "chat/chat_request.h"
#include "protocol/target.h"

namespace minimill::protocol {

inline constexpr std::size_t kProtocols = 5;

enum class Treatment {
  kPassed,      // as it came, or in the same words
  kTranslated,  // as the backend's own field of the same meaning
  kEmulated,    // minimill does it in the backend's place
  kLeftOut,     // the backend knows nothing like it, and the answer is as good; the headers name it
  kRefused,     // an error that names the field
};
std::string_view name(Treatment treatment);

/// A field of one protocol, or several protocols' names for the same part of a request.
struct FieldRule {
  std::array<std::string_view, kProtocols>
      names;  // by chat::Protocol; "" where it has no such field
  std::array<Treatment, kTargets> by_target;
  std::string_view how;      // of what is emulated or translated in an unexpected way
  std::string_view neutral;  // a value that asks for nothing, as JSON; "": every value asks
};

std::span<const FieldRule> field_rules();

/// The value at "options.seed", say; nullptr where there is none.
const boost::json::value* field_at(const boost::json::object& body, std::string_view path);

/// What happens to the rule's field of a request in `protocol`.
Treatment treatment(const FieldRule& rule, chat::Protocol protocol, Target target);

struct Fit {
  std::vector<std::string> emulated;
  std::vector<std::string> left_out;
};

/// kUnsupported, naming the field, for what the target cannot do.
Result<Fit> fit_request(const chat::ChatRequest& request, Target target);

/// docs/translation.md's tables.
std::string translation_tables();

}  // namespace minimill::protocol
