#include "models/package_index.h"

#include <curl/curl.h>
#include <re2/re2.h>

#include <charconv>
#include <memory>
#include <vector>

#include "base/json.h"

namespace minimill::models {
namespace {

constexpr std::size_t kSha256Digits = 64;

/// "1.10.2" → {1, 10, 2}; nullopt for pre-releases and anything else.
std::optional<std::vector<int>> version_of(std::string_view file_name) {
  const std::size_t dash = file_name.find('-');
  if (dash == std::string_view::npos) return std::nullopt;
  std::string_view text = file_name.substr(dash + 1);
  text = text.substr(0, text.find('-'));
  std::vector<int> version;
  while (!text.empty()) {
    int part = 0;
    const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), part);
    if (ec != std::errc{}) return std::nullopt;
    version.push_back(part);
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
    if (!text.empty() && text.front() != '.') return std::nullopt;
    if (!text.empty()) text.remove_prefix(1);
  }
  return version;
}

std::string resolved(std::string_view base, const std::string& link) {
  const std::unique_ptr<CURLU, decltype(&curl_url_cleanup)> url(curl_url(), &curl_url_cleanup);
  char* text = nullptr;
  if (curl_url_set(url.get(), CURLUPART_URL, std::string(base).c_str(), 0) != CURLUE_OK ||
      curl_url_set(url.get(), CURLUPART_URL, link.c_str(), 0) != CURLUE_OK ||
      curl_url_set(url.get(), CURLUPART_FRAGMENT, nullptr, 0) != CURLUE_OK ||
      curl_url_get(url.get(), CURLUPART_URL, &text, 0) != CURLUE_OK) {
    return {};
  }
  std::string absolute(text);
  curl_free(text);
  return absolute;
}

std::vector<Wheel> wheels_in_html(std::string_view page) {
  static const RE2 kLink(R"re((?i)<a\s[^>]*href\s*=\s*"([^"#]+)#sha256=([0-9a-f]{64})"[^>]*>\s*([^<\s]+\.whl)\s*<)re");
  std::vector<Wheel> wheels;
  re2::StringPiece rest(page.data(), page.size());
  Wheel wheel;
  while (RE2::FindAndConsume(&rest, kLink, &wheel.url, &wheel.sha256, &wheel.file_name)) {
    RE2::GlobalReplace(&wheel.url, "&amp;", "&");
    wheels.push_back(wheel);
  }
  return wheels;
}

std::vector<Wheel> wheels_in_json(std::string_view page) {
  std::vector<Wheel> wheels;
  const Result<json::object> parsed = parse_json_object(page);
  if (!parsed) return wheels;
  Fields fields(*parsed);
  const json::array* files = fields.optional_array("files");
  if (files == nullptr) return wheels;
  for (const json::value& each : *files) {
    const json::object* file = each.if_object();
    if (file == nullptr) continue;
    Fields of_file(*file);
    const json::object* hashes = of_file.optional_object("hashes");
    Wheel wheel{.file_name = of_file.string_or("filename", ""), .url = of_file.string_or("url", ""), .sha256 = {}};
    if (hashes != nullptr) wheel.sha256 = Fields(*hashes).string_or("sha256", "");
    if (wheel.file_name.ends_with(".whl") && wheel.sha256.size() == kSha256Digits) wheels.push_back(std::move(wheel));
  }
  return wheels;
}

}  // namespace

Result<Wheel> newest_wheel(std::string_view page, std::string_view content_type,
                           std::string_view page_url) {
  const bool is_json = content_type.find("json") != std::string_view::npos;
  const std::vector<Wheel> wheels = is_json ? wheels_in_json(page) : wheels_in_html(page);
  const Wheel* newest = nullptr;
  std::vector<int> newest_version;
  for (const Wheel& wheel : wheels) {
    const auto version = version_of(wheel.file_name);
    if (!version || (newest != nullptr && *version <= newest_version)) continue;
    newest = &wheel;
    newest_version = *version;
  }
  if (newest == nullptr) return fail(ErrorCode::kNotFound, "the package index lists no wheel with a hash");
  Wheel found = *newest;
  found.url = resolved(page_url, found.url);
  if (found.url.empty()) return fail(ErrorCode::kCorrupt, "the package index links to something that is no URL");
  return found;
}

}  // namespace minimill::models
