#pragma once

// What a backend wants otherwise than the protocol it speaks says, and otherwise than its
// neighbours of the same protocol. What every backend of a protocol wants (Claude's dislike of
// blank text, say) its writer sees to by itself. Who wants what is told by cloud/catalogue.h's
// rules, each with its source and date.

namespace minimill::protocol {

struct Dialect {
  /// The limit of an answer's tokens goes by its newer name, max_completion_tokens.
  bool max_completion_tokens = false;
  /// reasoning_effort may be "none"; models that cannot but not reason refuse the field.
  bool effort_none = false;
  /// One system message, at the beginning: templates that are strict refuse any other.
  bool one_system_message = false;
  bool operator==(const Dialect&) const = default;
};

}  // namespace minimill::protocol
