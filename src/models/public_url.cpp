#include "models/public_url.h"

#include <curl/curl.h>

#include <array>
#include <memory>

namespace minimill::models {

std::string public_url(std::string_view text) {
  constexpr std::array kSecret{CURLUPART_USER, CURLUPART_PASSWORD, CURLUPART_OPTIONS,
                               CURLUPART_QUERY, CURLUPART_FRAGMENT};
  const std::unique_ptr<CURLU, decltype(&curl_url_cleanup)> url(curl_url(), &curl_url_cleanup);
  if (curl_url_set(url.get(), CURLUPART_URL, std::string(text).c_str(), 0) != CURLUE_OK) return {};
  for (const CURLUPart part : kSecret) curl_url_set(url.get(), part, nullptr, 0);
  char* shown = nullptr;
  if (curl_url_get(url.get(), CURLUPART_URL, &shown, 0) != CURLUE_OK) return {};
  std::string result(shown);
  curl_free(shown);
  return result;
}

}  // namespace minimill::models
