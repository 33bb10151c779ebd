#include "api/routes.h"

#include <utility>

namespace minimill::api {
namespace {

std::vector<std::string> split(std::string_view path) {
  std::vector<std::string> segments;
  while (path.starts_with('/')) {
    path.remove_prefix(1);
    const std::string_view segment = path.substr(0, path.find('/'));
    segments.emplace_back(segment);
    path.remove_prefix(segment.size());
  }
  return segments;
}

bool matches(const std::vector<std::string>& pattern, const std::vector<std::string>& path,
             PathParts& parts) {
  const bool open = !pattern.empty() && pattern.back().ends_with("*}");
  if (open ? pattern.size() > path.size() : pattern.size() != path.size()) return false;
  parts.clear();
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    if (pattern[i].starts_with('{')) {
      if (path[i].empty()) return false;
      parts.push_back(path[i]);
      if (open && i + 1 == pattern.size()) {
        for (std::size_t rest = i + 1; rest < path.size(); ++rest) parts.back() += "/" + path[rest];
      }
    } else if (pattern[i] != path[i]) {
      return false;
    }
  }
  return true;
}

}  // namespace

policy::Scope scope_of(const http::Request& request) {
  return request.is_owner ? policy::Scope::everything() : policy::Scope::of_app(request.principal);
}

void Routes::add(std::string method, std::string_view pattern, RouteAbout about,
                 RouteHandler handler) {
  entries_.push_back({std::move(method), split(pattern), std::move(about), std::move(handler)});
}

Routes::Match Routes::find(std::string_view method, std::string_view path) const {
  const std::vector<std::string> segments = split(path);
  Match match;
  PathParts parts;
  for (const Entry& entry : entries_) {
    if (!matches(entry.segments, segments, parts)) continue;
    if (entry.method == method) return {&entry, std::move(parts), {}};
    if (!match.allowed.empty()) match.allowed += ", ";
    match.allowed += entry.method;
  }
  return match;
}

}  // namespace minimill::api
