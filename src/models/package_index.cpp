#include "models/package_index.h"

#include <curl/curl.h>
#include <re2/re2.h>

#include <array>
#include <memory>
#include <optional>
#include <sstream>
#include <vector>

#include "base/json.h"
#include "models/download.h"

namespace minimill::models {
namespace {

constexpr std::size_t kReleaseNumbers = 6;
/// A release's numbers, and last the number of its post-release: as PEP 440 orders them.
using Version = std::array<int, kReleaseNumbers + 1>;

/// Of "name-1.10.2-py3-none-any.whl"; nullopt for pre-releases and anything else.
std::optional<Version> version_of(const std::string& file_name) {
  static const RE2 kVersion(R"(^[^-]+-((?:\d{1,6}\.){0,5}\d{1,6})(?:\.post(\d{1,6}))?-)");
  std::string release;
  std::string post;
  if (!RE2::PartialMatch(file_name, kVersion, &release, &post)) return std::nullopt;
  Version version{};
  std::istringstream numbers(release);
  std::size_t at = 0;
  for (std::string number; std::getline(numbers, number, '.');) version[at++] = std::stoi(number);
  version[kReleaseNumbers] = post.empty() ? 0 : std::stoi(post) + 1;
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

std::string file_name_in(std::string_view url) {
  url = url.substr(0, url.find_first_of("?#"));
  return std::string(url.substr(url.rfind('/') + 1));
}

std::vector<Wheel> wheels_in_html(std::string_view page) {
  static const RE2 kAnchor(R"re((?is)<a(\s(?:[^>"']|"[^"]*"|'[^']*')*)>)re");
  static const RE2 kHref(R"re((?is)\shref\s*=\s*(?:"([^"]*)"|'([^']*)'))re");
  static const RE2 kYanked(R"re((?is)\sdata-yanked[\s=]|\sdata-yanked$)re");
  static const RE2 kLink(R"re(^([^#]+)#sha256=([0-9a-fA-F]{64})$)re");
  std::vector<Wheel> wheels;
  re2::StringPiece rest(page.data(), page.size());
  std::string attributes;
  while (RE2::FindAndConsume(&rest, kAnchor, &attributes)) {
    std::string quoted;
    std::string apostrophed;
    Wheel wheel;
    if (RE2::PartialMatch(attributes, kYanked) ||
        !RE2::PartialMatch(attributes, kHref, &quoted, &apostrophed))
      continue;
    std::string link = quoted.empty() ? apostrophed : quoted;
    RE2::GlobalReplace(&link, "&amp;", "&");
    if (!RE2::FullMatch(link, kLink, &wheel.url, &wheel.sha256)) continue;
    wheel.file_name = file_name_in(wheel.url);
    wheels.push_back(std::move(wheel));
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
    Wheel wheel{.file_name = of_file.string_or("filename", ""),
                .url = of_file.string_or("url", ""),
                .sha256 = {}};
    if (hashes != nullptr) wheel.sha256 = Fields(*hashes).string_or("sha256", "");
    const json::value* yanked = file->if_contains("yanked");  // false, or why
    if (yanked == nullptr || (yanked->is_bool() && !yanked->get_bool()))
      wheels.push_back(std::move(wheel));
  }
  return wheels;
}

}  // namespace

Result<Wheel> newest_wheel(std::string_view page, std::string_view content_type,
                           std::string_view page_url) {
  const bool is_json = content_type.find("json") != std::string_view::npos;
  const std::vector<Wheel> wheels = is_json ? wheels_in_json(page) : wheels_in_html(page);
  const Wheel* newest = nullptr;
  Version newest_version{};
  for (const Wheel& wheel : wheels) {
    if (!wheel.file_name.ends_with(".whl") || sha256_text(wheel.sha256).empty()) continue;
    const auto version = version_of(wheel.file_name);
    if (!version || (newest != nullptr && *version <= newest_version)) continue;
    newest = &wheel;
    newest_version = *version;
  }
  if (newest == nullptr)
    return fail(ErrorCode::kNotFound, "the package index lists no wheel with a hash");
  Wheel found = *newest;
  found.sha256 = sha256_text(found.sha256);
  found.url = resolved(page_url, found.url);
  if (!found.url.starts_with("https://") && !found.url.starts_with("http://"))
    return fail(ErrorCode::kCorrupt, "the package index links to something that is no URL");
  return found;
}

}  // namespace minimill::models
