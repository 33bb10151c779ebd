#include "models/gguf_reader.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace minimill::models {

std::string GgufReader::string(std::uint64_t max_bytes) {
  const auto size = number<std::uint64_t>();
  if (failed_ || size > max_bytes || size > left()) {
    failed_ = true;
    return {};
  }
  std::string text(size, '\0');
  bytes(text.data(), size);
  return text;
}

std::string GgufReader::some(std::size_t count) {
  std::string text(static_cast<std::size_t>(std::min<std::uint64_t>(count, left())), '\0');
  bytes(text.data(), text.size());
  return text;
}

void GgufReader::skip(std::uint64_t count) {
  if (failed_ || count > left()) {
    failed_ = true;
    return;
  }
  position_ += count;
}

void GgufReader::bytes(char* out, std::uint64_t count) {
  if (failed_ || count > left()) {
    failed_ = true;
    return;
  }
  while (count > 0) {
    const bool in_buffer = position_ >= buffer_at_ && position_ < buffer_at_ + buffered_;
    if (!in_buffer && !fill()) return;
    const auto from = static_cast<std::size_t>(position_ - buffer_at_);
    const auto take = static_cast<std::size_t>(std::min<std::uint64_t>(count, buffered_ - from));
    std::memcpy(out, buffer_.data() + from, take);
    out += take;
    count -= take;
    position_ += take;
  }
}

bool GgufReader::fill() {
  ssize_t got = 0;
  do {
    got = ::pread(file_, buffer_.data(), buffer_.size(), static_cast<off_t>(position_));
  } while (got < 0 && errno == EINTR);
  buffer_at_ = position_;
  buffered_ = got > 0 ? static_cast<std::size_t>(got) : 0;
  failed_ = got <= 0;  // also a file that was cut short under our hands
  return !failed_;
}

}  // namespace minimill::models
