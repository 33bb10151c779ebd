#include "api/ollama_api.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "api/ollama_exchange.h"
#include "api/pull_stream.h"
#include "api/serving_headers.h"
#include "protocol/ollama_embed.h"
#include "protocol/ollama_models.h"

namespace minimill::api {
namespace {

namespace ollama = protocol::ollama;

constexpr int kOk = 200;
/// The release of Ollama whose API this is, /v1/responses among it: its clients refuse to talk to
/// older ones.
constexpr std::string_view kOllamaVersion = "0.13.4";

asio::awaitable<void> send_body(std::string body, http::Responder& out) {
  http::Headers headers{{"content-type", "application/json"}};
  co_await out.send(kOk, std::move(headers), std::move(body));
}

asio::awaitable<void> send_ollama_error(const Error& error, http::Responder& out) {
  std::string body = ollama::write_error(error);
  co_await send_error(error, std::move(body), out);
}

std::string parameter_size(std::uint64_t parameters) {
  constexpr double kMillion = 1e6;
  constexpr double kBillion = 1e9;
  const auto count = static_cast<double>(parameters);
  return count >= kBillion ? fmt::format("{:.1f}B", count / kBillion)
                           : fmt::format("{:.2f}M", count / kMillion);
}

ollama::ModelDetails details_of(const models::GgufInfo& info) {
  return {.format = "gguf",
          .family = info.architecture,
          .parameter_size = parameter_size(info.parameters),
          .quantization_level = info.quantization};
}

WallTime modified_at(const std::filesystem::path& file) {
  std::error_code ignored;
  const auto written = std::filesystem::last_write_time(file, ignored);
  if (ignored) return {};
  return std::chrono::time_point_cast<WallTime::duration>(std::chrono::file_clock::to_sys(written));
}

/// Ollama's command line asks this before all else, and takes any other answer for no server.
asio::awaitable<void> greet(http::Responder& out) {
  http::Headers headers{{"content-type", "text/plain; charset=utf-8"}};
  std::string body = "Ollama is running";
  co_await out.send(kOk, std::move(headers), std::move(body));
}

}  // namespace

void OllamaApi::add_to(Routes& routes) {
  // GET of the same path is the page's (page_api.h), which greets whoever is no browser.
  routes.add("HEAD", "/", {"Whether a server is here, as Ollama's clients ask", Who::kAnyone},
             [](http::Request&, http::Responder& out, const PathParts&) { return greet(out); });
  for (const auto& [path, shape] : {std::pair{"/api/chat", ollama::Shape::kChat},
                                    std::pair{"/api/generate", ollama::Shape::kGenerate}}) {
    routes.add("POST", path, {"A chat in Ollama's format", Who::kOwn, chat::Protocol::kOllama},
               [this, shape](http::Request& request, http::Responder& out, const PathParts&) {
                 return chat(request, out, shape);
               });
  }
  const auto add = [this, &routes](const char* method, const char* path, const char* summary,
                                   Who who, auto handler) {
    routes.add(method, path, {summary, who},
               [this, handler](http::Request& request, http::Responder& out, const PathParts&) {
                 return (this->*handler)(request, out);
               });
  };
  add("POST", "/api/embed", "Vectors of texts", Who::kOwn, &OllamaApi::embed);
  add("POST", "/api/embeddings", "The vector of one text", Who::kOwn, &OllamaApi::embed_one);
  add("POST", "/api/pull", "Gets a model, with its progress as lines", Who::kOwner,
      &OllamaApi::pull);
  add("POST", "/api/show", "What a model is like", Who::kOwn, &OllamaApi::show);
  add("DELETE", "/api/delete", "Removes a model", Who::kOwner, &OllamaApi::remove);
  routes.add("GET", "/api/tags", {"The models on this machine", Who::kOwn},
             [this](http::Request&, http::Responder& out, const PathParts&) { return tags(out); });
  routes.add(
      "GET", "/api/ps", {"The models that are loaded", Who::kOwn},
      [this](http::Request&, http::Responder& out, const PathParts&) { return loaded(out); });
  routes.add("GET", "/api/version", {"The release of Ollama whose API this is", Who::kOwn},
             [](http::Request&, http::Responder& out, const PathParts&) {
               return send_body(ollama::write_version(kOllamaVersion), out);
             });
}

engine::Backend* OllamaApi::engine_of(std::string_view model) {
  const Result<policy::ModelChoice> choice = selector_.resolve(model);
  if (!choice || choice->lane.value_or(chat::Lane::kLocal) != chat::Lane::kLocal) return nullptr;
  const std::string name = choice->model.empty() ? engines_.default_model() : choice->model;
  Result<engine::Backend*> found = engines_.find(name);
  return found ? *found : nullptr;
}

void OllamaApi::keep_alive(std::string_view model, std::optional<std::chrono::seconds> time) {
  if (!time) return;
  if (engine::Backend* engine = engine_of(model)) engine->keep_alive(*time);
}

asio::awaitable<Result<>> OllamaApi::load(const http::Request& request, std::string_view model,
                                          std::optional<std::chrono::seconds> keep) {
  chat::RequestParts parts;
  parts.model = model;
  chat::ChatRequest chat(std::move(parts));
  Result<policy::Request> asked = reader_.admit(request, std::move(chat));
  if (!asked) co_return std::unexpected(std::move(asked.error()));
  const bool unload = keep && keep->count() == 0;
  if (unload && !request.is_owner) {
    co_return fail(ErrorCode::kForbidden, "an app with a key may not unload models",
                   "they are unloaded by themselves when nobody uses them");
  }
  engine::Backend* engine = engine_of(model);
  if (engine == nullptr || asked->choice.lane == chat::Lane::kCloud) {
    co_return Result<>{};  // a provider's: there is nothing to load
  }
  if (keep && request.is_owner) engine->keep_alive(*keep);
  if (unload) co_return Result<>{};
  co_return co_await engine->warm_up();
}

asio::awaitable<void> OllamaApi::chat(http::Request& request, http::Responder& out,
                                      ollama::Shape shape) {
  Result<ollama::Request> asked = shape == ollama::Shape::kChat
                                      ? ollama::parse_chat_request(request.body)
                                      : ollama::parse_generate_request(request.body);
  if (!asked) {
    co_await send_ollama_error(asked.error(), out);
    co_return;
  }
  const std::string model = asked->chat.model();
  std::optional<std::chrono::seconds> keep = asked->keep_alive;
  if (asked->load_only) {
    Result<> loaded = co_await load(request, model, keep);
    if (!loaded) {
      co_await send_ollama_error(loaded.error(), out);
      co_return;
    }
    const bool unloaded = keep && keep->count() == 0;
    std::string body = ollama::write_loaded(shape, model, clock_.wall(), unloaded);
    co_await send_body(std::move(body), out);
    co_return;
  }
  if (!request.is_owner) keep.reset();  // how long models stay is its owner's to say
  OllamaExchange exchange(clock_, shape, std::move(asked->chat));
  if (keep && keep->count() != 0) keep_alive(model, keep);
  co_await chats_.serve(request, out, exchange);
  if (keep && keep->count() == 0) keep_alive(model, keep);
}

asio::awaitable<void> OllamaApi::embed(http::Request& request, http::Responder& out) {
  const SteadyTime began = clock_.steady();
  Result<ollama::EmbedRequest> asked = ollama::parse_embed_request(request.body);
  if (!asked) {
    co_await send_ollama_error(asked.error(), out);
    co_return;
  }
  serve::Embedded made;
  made.answer.model = asked->embedding.model;
  http::Headers headers{{"content-type", "application/json"}};
  if (asked->load_only) {
    Result<> loaded = co_await load(request, asked->embedding.model, asked->keep_alive);
    if (!loaded) {
      co_await send_ollama_error(loaded.error(), out);
      co_return;
    }
  } else {
    const std::string model = asked->embedding.model;
    Result<serve::Embedded> embedded =
        co_await embeddings_.embed(request, std::move(asked->embedding));
    if (!embedded) {
      co_await send_ollama_error(embedded.error(), out);
      co_return;
    }
    made = std::move(*embedded);
    made.answer.model = model;
    headers = serving_headers(made.serving, "application/json");
  }
  ollama::Durations durations;
  durations.total = clock_.steady() - began;
  std::string body = ollama::write_embed_answer(made.answer, durations);
  co_await out.send(kOk, std::move(headers), std::move(body));
}

asio::awaitable<void> OllamaApi::embed_one(http::Request& request, http::Responder& out) {
  Result<ollama::EmbedRequest> asked = ollama::parse_embeddings_request(request.body);
  if (!asked) {
    co_await send_ollama_error(asked.error(), out);
    co_return;
  }
  Result<serve::Embedded> made;
  if (!asked->load_only) made = co_await embeddings_.embed(request, std::move(asked->embedding));
  if (!made) {
    co_await send_ollama_error(made.error(), out);
    co_return;
  }
  std::string body = ollama::write_embeddings_answer(made->answer);
  co_await send_body(std::move(body), out);
}

std::vector<std::string> OllamaApi::names_beyond_the_device() const {
  std::vector<std::string> names{std::string(serve::kAuto), std::string(serve::kLocal),
                                 std::string(serve::kCloud)};
  for (const cloud::Provider* provider : selector_.providers()) {
    const std::vector<std::string>& models = provider->options().models;
    for (const std::string& model : models) {
      if (std::ranges::find(names, model) == names.end()) names.push_back(model);
    }
  }
  return names;
}

asio::awaitable<void> OllamaApi::tags(http::Responder& out) const {
  std::vector<ollama::LocalModel> shown;
  for (std::string& name : names_beyond_the_device()) {
    ollama::LocalModel model;
    model.name = std::move(name);
    model.details.format.clear();
    shown.push_back(std::move(model));
  }
  for (const models::Model& model : engines_.store().list()) {
    shown.push_back({.name = model.name,
                     .modified_at = modified_at(model.file),
                     .size_bytes = static_cast<std::int64_t>(model.info.file_bytes),
                     .digest = model.sha256,
                     .details = details_of(model.info)});
  }
  std::string body = ollama::write_tags(shown);
  co_await send_body(std::move(body), out);
}

asio::awaitable<void> OllamaApi::loaded(http::Responder& out) const {
  std::vector<ollama::LoadedModel> shown;
  for (const engine::EngineStatus& status : engines_.statuses()) {
    if (status.state != engine::EngineState::kReady) continue;
    ollama::LoadedModel model;
    model.name = status.name;
    if (const Result<models::Model> found = engines_.store().find(status.name)) {
      model.size_bytes = static_cast<std::int64_t>(found->info.file_bytes);
      model.digest = found->sha256;
      model.details = details_of(found->info);
      model.context_length = engines_.context_tokens();
    }
    if (status.stops_at) {
      const auto left = *status.stops_at - clock_.steady();
      model.expires_at = clock_.wall() + std::chrono::duration_cast<WallTime::duration>(left);
    }
    shown.push_back(std::move(model));
  }
  std::string body = ollama::write_ps(shown);
  co_await send_body(std::move(body), out);
}

asio::awaitable<void> OllamaApi::show(const http::Request& request, http::Responder& out) const {
  const Result<ollama::ModelRequest> asked = ollama::parse_model_request(request.body);
  if (!asked) {
    co_await send_ollama_error(asked.error(), out);
    co_return;
  }
  // By its name only: a path would let apps look at the disk.
  const std::vector<models::Model> here = engines_.store().list();
  const auto found = std::ranges::find(here, asked->model, &models::Model::name);
  const std::vector<std::string> others = names_beyond_the_device();
  if (found == here.end() && std::ranges::find(others, asked->model) != others.end()) {
    ollama::ShownModel known;
    known.details.format.clear();
    known.capabilities = {"completion", "tools"};
    std::string body = ollama::write_show(known);
    co_await send_body(std::move(body), out);
    co_return;
  }
  if (found == here.end()) {
    const Error error =
        fail(ErrorCode::kNotFound, fmt::format("model '{}' not found", asked->model),
             "get it with: minimill pull")
            .error();
    co_await send_ollama_error(error, out);
    co_return;
  }
  ollama::ShownModel shown;
  shown.modified_at = modified_at(found->file);
  shown.details = details_of(found->info);
  shown.capabilities = {"completion"};
  if (found->info.has_chat_template) shown.capabilities.emplace_back("tools");
  shown.context_length = found->info.context_length;
  shown.embedding_length = found->info.embedding_length;
  shown.model_info = {{"general.architecture", found->info.architecture},
                      {"general.parameter_count", found->info.parameters}};
  std::string body = ollama::write_show(shown);
  co_await send_body(std::move(body), out);
}

asio::awaitable<void> OllamaApi::remove(const http::Request& request, http::Responder& out) {
  const Result<ollama::ModelRequest> asked = ollama::parse_model_request(request.body);
  if (!asked) {
    co_await send_ollama_error(asked.error(), out);
    co_return;
  }
  co_await engines_.stop(asked->model);
  const Result<> removed = engines_.store().remove(asked->model);
  if (!removed) {
    co_await send_ollama_error(removed.error(), out);
    co_return;
  }
  http::Headers headers;
  std::string nothing;
  co_await out.send(kOk, std::move(headers), std::move(nothing));
}

asio::awaitable<void> OllamaApi::pull(const http::Request& request, http::Responder& out) {
  const Result<ollama::ModelRequest> asked = ollama::parse_model_request(request.body);
  if (!asked) {
    co_await send_ollama_error(asked.error(), out);
    co_return;
  }
  // What is not known by name is somebody's choice who sits here, not any program's.
  PullStream stream(client_, engines_.store(), asked->model, !request.peer.uid);
  if (asked->stream) {
    co_await stream.run(out);
    co_return;
  }
  Result<models::Model> model = co_await stream.whole();
  if (!model) {
    co_await send_ollama_error(model.error(), out);
    co_return;
  }
  std::string body = ollama::write_pull_progress(
      {.status = "success", .digest = {}, .total_bytes = {}, .completed_bytes = {}});
  co_await send_body(std::move(body), out);
}

}  // namespace minimill::api
