#include "http/sse_reader.h"

#include <fmt/format.h>

#include <utility>

namespace minimill::http {

Result<> SseReader::feed(std::string_view bytes) {
  constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";
  while (!bytes.empty()) {
    if (std::exchange(skip_lf_, false) && bytes.front() == '\n') {
      bytes.remove_prefix(1);
      continue;
    }
    const std::size_t end = bytes.find_first_of("\r\n");
    line_ += bytes.substr(0, end);
    if (line_.size() + current_.data.size() > kMaxEventBytes) {
      return fail(ErrorCode::kTooLarge,
                  fmt::format("a server-sent event of over {} bytes", kMaxEventBytes));
    }
    if (end == std::string_view::npos) return {};
    skip_lf_ = bytes[end] == '\r';
    bytes.remove_prefix(end + 1);
    std::string_view line = line_;
    if (std::exchange(at_start_, false) && line.starts_with(kByteOrderMark)) {
      line.remove_prefix(kByteOrderMark.size());
    }
    take_line(line);
    line_.clear();
  }
  return {};
}

void SseReader::take_line(std::string_view line) {
  if (line.empty()) {
    // An event without data is none (section 9.2.6).
    if (has_data_) ready_.push_back(std::move(current_));
    current_ = {};
    has_data_ = false;
    return;
  }
  const std::size_t colon = line.find(':');
  const std::string_view field = line.substr(0, colon);
  std::string_view value = colon == std::string_view::npos ? "" : line.substr(colon + 1);
  if (value.starts_with(' ')) value.remove_prefix(1);
  if (field == "data") {
    if (std::exchange(has_data_, true)) current_.data += '\n';
    current_.data += value;
  } else if (field == "event") {
    current_.event = value;
  }
}

void SseReader::end() {
  if (!line_.empty()) take_line(std::exchange(line_, {}));
  take_line({});
}

std::optional<SseEvent> SseReader::next() {
  if (ready_.empty()) return std::nullopt;
  SseEvent event = std::move(ready_.front());
  ready_.pop_front();
  return event;
}

bool SseReader::pending() const { return !line_.empty() || has_data_ || !current_.event.empty(); }

}  // namespace minimill::http
