#include "http/origin.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>
#include <vector>

#include "http/host.h"

namespace minimill::http {
namespace {

constexpr std::size_t kShown = 100;  // of what somebody else wrote

bool changes_nothing(std::string_view method) {
  return method == "GET" || method == "HEAD" || method == "OPTIONS";
}

/// "http://localhost:3000" → "localhost:3000"; "" for other schemes and for "null".
std::string_view authority_of(std::string_view origin) {
  for (const std::string_view scheme : {"http://", "https://"}) {
    if (origin.size() > scheme.size() && iequals(origin.substr(0, scheme.size()), scheme)) {
      return origin.substr(scheme.size());
    }
  }
  return {};
}

bool is_welcome(std::string_view origin, std::string_view host,
                std::span<const std::string> invited) {
  const std::string_view authority = authority_of(origin);
  const auto is_it = [origin](const std::string& one) { return iequals(one, origin); };
  return (!authority.empty() &&
          (is_loopback_name(without_port(authority)) || iequals(authority, host))) ||
         std::ranges::any_of(invited, is_it);
}

/// "Application/JSON; charset=utf-8" → "Application/JSON".
std::string_view media_type(std::string_view content_type) {
  content_type = content_type.substr(0, content_type.find(';'));
  while (content_type.ends_with(' ') || content_type.ends_with('\t')) {
    content_type.remove_suffix(1);
  }
  return content_type;
}

Result<> check_page(const Request& request, std::span<const std::string> invited) {
  constexpr std::string_view kHint = "list it in [server] origins if it is a page of yours";
  if (request.headers.has("origin")) {
    const std::string_view origin = request.headers.get("origin");
    if (is_welcome(origin, request.headers.get("host"), invited)) return {};
    return fail(ErrorCode::kForbidden,
                fmt::format("pages of {} may not use this minimill", origin.substr(0, kShown)),
                std::string(kHint));
  }
  const std::string_view site = request.headers.get("sec-fetch-site");
  if (site.empty() || site == "none" || site == "same-origin") return {};
  return fail(ErrorCode::kForbidden, "pages of other sites may not use this minimill",
              std::string(kHint));
}

Result<> check_body_type(const Request& request) {
  const std::string_view type = media_type(request.headers.get("content-type"));
  if (request.method != "POST" || type.empty() || iequals(type, "application/json")) return {};
  const bool browser = request.headers.has("origin") || request.headers.has("sec-fetch-site");
  if (!browser && iequals(type, "application/x-www-form-urlencoded")) return {};
  return fail_field("content-type",
                    fmt::format("a body of the type {} is not taken", type.substr(0, kShown)),
                    "send JSON, with content-type: application/json");
}

}  // namespace

Result<> check_origin(const Request& request, std::span<const std::string> invited) {
  if (request.peer.uid || changes_nothing(request.method)) return {};
  if (Result<> page = check_page(request, invited); !page) return page;
  return check_body_type(request);
}

bool is_same_origin(const Request& request) {
  const std::string_view site = request.headers.get("sec-fetch-site");
  if (!site.empty() && site != "none" && site != "same-origin") return false;
  if (request.headers.has("origin")) {
    return iequals(authority_of(request.headers.get("origin")), request.headers.get("host"));
  }
  return !site.empty() || changes_nothing(request.method);
}

Result<> check_given_once(const Headers& headers, std::string_view prefix) {
  std::vector<std::string_view> seen;
  for (const auto& [name, value] : headers) {
    if (name.size() < prefix.size() ||
        !iequals(std::string_view(name).substr(0, prefix.size()), prefix)) {
      continue;
    }
    const auto is_same = [&name](std::string_view other) { return iequals(name, other); };
    if (std::ranges::any_of(seen, is_same)) {
      return fail_field(name, fmt::format("the header {} is given twice", name),
                        "only one of them could hold");
    }
    seen.push_back(name);
  }
  return {};
}

}  // namespace minimill::http
