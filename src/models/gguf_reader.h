#pragma once

// GGUF's numbers and strings, in the order in which they lie in a file. Buffered, so that the
// hundred thousand tokens of a vocabulary cost a few reads; what would reach past the end fails
// before anything is allocated. The first failure sticks: read on, and ask failed() where it
// matters.

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>

namespace minimill::models {

class GgufReader {
 public:
  /// Reads `file` (open, not owned) from its start; `size` is the file's.
  GgufReader(int file, std::uint64_t size) : file_(file), size_(size) {}
  GgufReader(const GgufReader&) = delete;
  GgufReader& operator=(const GgufReader&) = delete;

  template <class Number>
  Number number() {
    Number value{};
    bytes(reinterpret_cast<char*>(&value), sizeof value);
    return value;
  }
  /// A length and as many bytes; longer than `max_bytes` is a failure.
  std::string string(std::uint64_t max_bytes);
  /// Up to `count` bytes as they are, fewer at the file's end.
  std::string some(std::size_t count);
  void skip(std::uint64_t count);

  bool failed() const { return failed_; }
  /// Bytes read or skipped so far.
  std::uint64_t position() const { return position_; }
  std::uint64_t left() const { return size_ - position_; }

 private:
  static constexpr std::size_t kBufferBytes = 64 << 10;

  void bytes(char* out, std::uint64_t count);
  bool fill();

  int file_;
  std::uint64_t size_;
  std::uint64_t position_ = 0;
  std::uint64_t buffer_at_ = 0;  // where in the file the buffer begins
  std::size_t buffered_ = 0;
  bool failed_ = false;
  std::array<char, kBufferBytes> buffer_;
};

}  // namespace minimill::models
