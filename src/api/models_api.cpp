#include "api/models_api.h"

#include <fmt/format.h>

#include <functional>
#include <set>
#include <string>

#include "api/chat_api.h"
#include "protocol/anthropic.h"
#include "protocol/openai.h"

namespace minimill::api {
namespace {

constexpr int kOk = 200;

bool is_anthropic(const http::Request& request) { return request.headers.has("anthropic-version"); }

asio::awaitable<void> send_body(std::string body, http::Responder& out) {
  http::Headers headers{{"content-type", "application/json"}};
  co_await out.send(kOk, std::move(headers), std::move(body));
}

}  // namespace

void ModelsApi::add_to(Routes& routes) {
  routes.add("GET", "/v1/models", {"Every name an app may ask for", Who::kOwn},
             [this](http::Request& request, http::Responder& out, const PathParts&) {
               return list(request, out);
             });
  routes.add("GET", "/v1/models/{id*}", {"One of them", Who::kOwn},
             [this](http::Request& request, http::Responder& out, const PathParts& parts) {
               return show(request, parts, out);
             });
}

std::vector<ModelsApi::Entry> ModelsApi::entries() const {
  std::vector<Entry> entries;
  for (const std::string_view name : {serve::kAuto, serve::kLocal, serve::kCloud}) {
    entries.push_back({.id = std::string(name), .owner = "minimill"});
  }
  for (std::string& name : engines_.model_names()) {
    entries.push_back({.id = std::move(name), .owner = "local"});
  }
  for (const cloud::Provider* provider : selector_.providers()) {
    for (const std::string& model : provider->options().models) {
      entries.push_back({.id = model, .owner = provider->options().name});
    }
  }
  // What several serve is one name to ask for, and belongs to whom it is asked of first.
  std::set<std::string, std::less<>> seen;
  std::erase_if(entries, [&seen](const Entry& entry) { return !seen.insert(entry.id).second; });
  return entries;
}

asio::awaitable<void> ModelsApi::list(const http::Request& request, http::Responder& out) const {
  std::vector<std::string> ids;
  std::vector<protocol::openai::ModelEntry> shown;
  for (Entry& entry : entries()) {
    ids.push_back(entry.id);
    shown.push_back(
        {.id = std::move(entry.id), .created_s = 0, .owned_by = std::move(entry.owner)});
  }
  std::string body = is_anthropic(request) ? protocol::anthropic::write_models(ids)
                                           : protocol::openai::write_models(shown);
  co_await send_body(std::move(body), out);
}

asio::awaitable<void> ModelsApi::show(const http::Request& request, const PathParts& parts,
                                      http::Responder& out) const {
  const std::string& id = parts.front();
  std::string body;
  for (const Entry& entry : entries()) {
    if (entry.id != id) continue;
    body = is_anthropic(request)
               ? protocol::anthropic::write_model(id)
               : protocol::openai::write_model({.id = id, .created_s = 0, .owned_by = entry.owner});
  }
  if (!body.empty()) {
    co_await send_body(std::move(body), out);
    co_return;
  }
  const Error error =
      fail(ErrorCode::kNotFound, fmt::format("no model '{}'", id), "GET /v1/models lists them")
          .error();
  body = is_anthropic(request) ? protocol::anthropic::write_error(error)
                               : protocol::openai::write_error(error);
  co_await send_error(error, std::move(body), out);
}

}  // namespace minimill::api
