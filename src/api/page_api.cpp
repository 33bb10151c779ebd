#include "api/page_api.h"

#include <utility>

#include "api/json_response.h"
#include "page/page.h"

namespace minimill::api {
namespace {

namespace json = boost::json;

constexpr int kOk = 200;
constexpr int kCreated = 201;
constexpr int kSeeOther = 303;
constexpr int kNotModified = 304;
constexpr std::string_view kIndex = "index.html";
constexpr std::string_view kGreeting = "Ollama is running";
constexpr const char* kPolicy =
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "font-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors "
    "'none'";

http::Headers safe_headers(std::string_view type) {
  return {{"content-type", std::string(type)},
          {"content-security-policy", kPolicy},
          {"x-content-type-options", "nosniff"},
          {"x-frame-options", "DENY"},
          {"referrer-policy", "no-referrer"},
          {"cross-origin-opener-policy", "same-origin"},
          {"cross-origin-resource-policy", "same-origin"}};
}

const page::File* find_file(std::string_view name) {
  for (const page::File& file : page::files()) {
    if (file.name == name) return &file;
  }
  return nullptr;
}

asio::awaitable<void> send_file(const page::File& file, const http::Request& request,
                                http::Responder& out) {
  http::Headers headers = safe_headers(file.type);
  headers.add("etag", std::string(file.etag));
  // An old page finds out at once that there is a new daemon; all else has its hash in its name.
  headers.add("cache-control",
              file.name == kIndex ? "no-cache" : "public, max-age=31536000, immutable");
  if (request.headers.get("if-none-match") == file.etag) {
    co_await out.send(kNotModified, std::move(headers), std::string());
    co_return;
  }
  headers.add("content-encoding", "gzip");
  std::string body(file.gzip);
  co_await out.send(kOk, std::move(headers), std::move(body));
}

asio::awaitable<void> send_part(const http::Request& request, http::Responder& out,
                                std::string name) {
  if (const page::File* file = find_file(name)) {
    co_await send_file(*file, request, out);
    co_return;
  }
  const Error error = fail(ErrorCode::kNotFound, "the page has no such part",
                           "load it anew: this minimill may be newer than the page")
                          .error();
  co_await send_json_error(error, out);
}

asio::awaitable<void> send_index(const http::Request& request, http::Responder& out) {
  const page::File* index = find_file(kIndex);
  const bool browser = request.headers.get("accept").find("text/html") != std::string_view::npos;
  if (browser && index != nullptr) {
    co_await send_file(*index, request, out);
    co_return;
  }
  http::Headers headers{{"content-type", "text/plain; charset=utf-8"}};
  std::string body(kGreeting);
  co_await out.send(kOk, std::move(headers), std::move(body));
}

}  // namespace

void PageApi::add_to(Routes& routes) {
  using http::Request;
  using http::Responder;
  routes.add(
      "GET", "/", {"The page, for a browser; else a greeting as Ollama's", Who::kAnyone},
      [](Request& request, Responder& out, const PathParts&) { return send_index(request, out); });
  routes.add("GET", "/page/{file}", {"A part of the page", Who::kAnyone},
             [](Request& request, Responder& out, const PathParts& parts) {
               return send_part(request, out, parts[0]);
             });
  routes.add("GET", "/open/{token}",
             {"A link of `minimill open`: lets this browser in, once", Who::kAnyone},
             [this](Request& request, Responder& out, const PathParts& parts) {
               return open(request, out, parts[0]);
             });
  routes.add("POST", "/minimill/v1/sessions",
             {"A link that lets one browser in, once and soon", Who::kOwner},
             [this](Request&, Responder& out, const PathParts&) { return make_link(out); });
}

asio::awaitable<void> PageApi::open(http::Request& request, http::Responder& out,
                                    std::string token) {
  Result<std::string> cookie = sessions_.redeem(token);
  if (!cookie) {
    co_await send_json_error(cookie.error(), out);
    co_return;
  }
  http::Headers headers = safe_headers("text/plain; charset=utf-8");
  headers.add("cache-control", "no-store");
  headers.add("location", "/");
  const auto life = std::chrono::duration_cast<std::chrono::seconds>(Sessions::kLife);
  headers.add("set-cookie", Sessions::cookie_name(request) + "=" + *cookie + "; Path=/; Max-Age=" +
                                std::to_string(life.count()) + "; HttpOnly; SameSite=Strict");
  co_await out.send(kSeeOther, std::move(headers), std::string());
}

asio::awaitable<void> PageApi::make_link(http::Responder& out) {
  const Result<std::string> token = sessions_.make_link();
  if (!token) {
    co_await send_json_error(token.error(), out);
    co_return;
  }
  const auto life = std::chrono::duration_cast<std::chrono::seconds>(Sessions::kLinkLife);
  const json::value link = json::object{{"path", "/open/" + *token}, {"seconds", life.count()}};
  co_await send_json(kCreated, link, out);
}

}  // namespace minimill::api
