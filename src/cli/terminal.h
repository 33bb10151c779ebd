#pragma once

// Output for people: colours and lines rewritten in place on a terminal, plain lines elsewhere.

#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>

namespace minimill::cli {

bool is_terminal(std::FILE* stream);

enum class Color { kRed, kGreen, kYellow, kBlue, kDim, kBold };

/// The text in colour where `stream` is a terminal and NO_COLOR is not set.
std::string colored(std::FILE* stream, Color color, std::string_view text);

/// "61.2 MB"
std::string bytes_text(std::uint64_t bytes);
/// "[#####.....]", `width` characters between the brackets.
std::string bar(double share, int width);

/// One line on stderr that is rewritten in place on a terminal; elsewhere only what `plain` says
/// is printed, line by line.
class ProgressLine {
 public:
  ProgressLine();
  ~ProgressLine();
  ProgressLine(const ProgressLine&) = delete;
  ProgressLine& operator=(const ProgressLine&) = delete;

  void update(std::string_view text);
  /// A line that stays, on a terminal or not.
  void plain(std::string_view text);
  bool rewrites() const { return rewrites_; }
  void clear();

 private:
  bool rewrites_;
  bool shown_ = false;
};

}  // namespace minimill::cli
