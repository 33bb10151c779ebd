#pragma once

// HTTP messages as values, the same for the server and the client.

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace minimill::http {

/// Header fields in order; names compare without regard to case (RFC 9110, section 5.1).
class Headers {
 public:
  Headers() = default;
  Headers(std::initializer_list<std::pair<std::string, std::string>> fields) : fields_(fields) {}

  /// The first value, or "" where there is none.
  std::string_view get(std::string_view name) const;
  bool has(std::string_view name) const;
  void add(std::string name, std::string value);
  /// Replaces every field of that name.
  void set(std::string_view name, std::string value);

  auto begin() const { return fields_.begin(); }
  auto end() const { return fields_.end(); }
  std::size_t size() const { return fields_.size(); }

 private:
  std::vector<std::pair<std::string, std::string>> fields_;
};

/// Without regard to case, ASCII.
bool iequals(std::string_view a, std::string_view b);

}  // namespace minimill::http
