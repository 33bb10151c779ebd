#pragma once

// The past requests most like a new one, and how the local lane fared with them: evidence of the
// kind people understand. Texts are kept as sketches only (Charikar et al. 2002, count sketch): 128
// small numbers whose products approximate the cosine between the texts' words.

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "route/vocabulary.h"

namespace minimill::route {

inline constexpr std::size_t kSketchSize = 128;
using Sketch = std::array<std::int8_t, kSketchSize>;

Sketch sketch_of(std::span<const Term> terms);
float cosine(const Sketch& a, const Sketch& b);

class Nearest {
 public:
  /// Enough to matter, few enough to be compared with every request.
  static constexpr std::size_t kMost = 256;
  static constexpr float kAlike = 0.6F;  // least cosine that counts

  struct Found {
    double good = 0;  // each as much as it is alike: 0 at kAlike, 1 where the same
    double bad = 0;
    int alike = 0;
    int alike_good = 0;
  };
  Found find(const Sketch& sketch) const;
  /// The oldest makes room.
  void add(const Sketch& sketch, bool good);

  void append_state(std::string& out) const;
  Result<> take_state(std::string_view& bytes);

 private:
  struct Work {
    Sketch sketch{};
    float length = 1;
    bool good = false;
  };
  std::vector<Work> works_;
  std::size_t next_ = 0;
};

}  // namespace minimill::route
