#pragma once

// Server-sent events out of a stream of bytes (WHATWG HTML, section 9.2.6), bounded.
//
//   SseReader reader;
//   Result<> fed = reader.feed(bytes);
//   while (std::optional<SseEvent> event = reader.next()) …
//
// Any split of the bytes gives the same events. Lines end with LF, CR LF or CR. Comments, `id` and
// `retry` are read over. An event is complete at its blank line; a stream that ends before it had
// half an event: `pending()` is then true, and `end()` takes it for a whole one.

#include <cstddef>
#include <deque>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"

namespace minimill::http {

struct SseEvent {
  std::string event;  // empty where the stream named none
  std::string data;   // data lines joined by line feeds
  bool operator==(const SseEvent&) const = default;
};

class SseReader {
 public:
  static constexpr std::size_t kMaxEventBytes = std::size_t{4} << 20;

  /// kTooLarge for an event over kMaxEventBytes; the reader is then unusable.
  Result<> feed(std::string_view bytes);
  /// The bytes have ended: what was read of a last event without its blank line is one.
  void end();
  std::optional<SseEvent> next();
  /// True while part of an event has been read.
  bool pending() const;

 private:
  void take_line(std::string_view line);

  std::string line_;
  SseEvent current_;
  bool has_data_ = false;
  bool skip_lf_ = false;
  bool at_start_ = true;
  std::deque<SseEvent> ready_;
};

}  // namespace minimill::http
