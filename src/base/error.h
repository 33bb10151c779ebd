#pragma once

// Errors are values with a story: what failed, with what, and what to do about it.
//
//   Result<Config> config = load_config(path);
//   if (!config) return std::unexpected(std::move(config.error()).context("starting the daemon"));
//
// One place per door turns an Error into words for its reader: protocol/ into an HTTP status and
// the protocol's own error body, cli/ into a line on stderr and an exit code.

#include <chrono>
#include <expected>
#include <optional>
#include <string>
#include <string_view>

namespace minimill {

enum class ErrorCode {
  kInvalidArgument,  // the caller's input is wrong; `field` names it
  kUnauthorized,     // no key, or a wrong one
  kForbidden,        // policy says no
  kNotFound,
  kConflict,         // already exists, or in a state that does not allow it
  kTooLarge,         // over a named limit
  kContextExceeded,  // a prompt longer than the model's context; clients shorten it and ask again
  kRateLimited,      // come back later; `retry_after` says when
  kUnavailable,      // nothing can serve this now
  kTimeout,
  kCancelled,    // the caller went away
  kUpstream,     // a backend answered nonsense or failed
  kCorrupt,      // stored or downloaded bytes are not what they claim to be
  kIo,           // the operating system refused
  kUnsupported,  // understood, and not done here
  kInternal,     // a bug of ours
};

/// The code's stable name, for example "not_found"; used in logs and in --json output.
std::string_view name(ErrorCode code);

struct Error {
  ErrorCode code = ErrorCode::kInternal;
  int native_code =
      0;  // what failed has numbers of its own: SQLite's extended result code; 0: none
  std::string message;  // what failed and with what; one line, no final stop
  std::string hint;     // what to do next; may be empty
  std::string field;    // the offending input's path, for example "messages[2].role"; may be empty
  std::optional<std::chrono::milliseconds> retry_after;

  /// Puts "doing: " before the message, so that the outermost attempt reads first.
  Error context(std::string_view doing) &&;
  Error with_field(std::string path) &&;

  /// "message (hint)": one line for a log or a terminal.
  std::string to_string() const;

  bool operator==(const Error&) const = default;
};

template <class T = void>
using Result = std::expected<T, Error>;

/// `return fail(ErrorCode::kNotFound, "no task 'x'");` in any function that returns a Result.
std::unexpected<Error> fail(ErrorCode code, std::string message, std::string hint = {});

/// An input error that names the field it is about.
std::unexpected<Error> fail_field(std::string field, std::string message, std::string hint = {});

}  // namespace minimill
