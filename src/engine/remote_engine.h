#pragma once

// An OpenAI-compatible server that already runs on this machine or in the house (Ollama, vLLM,
// LM Studio, another llama-server), used as a local engine by its URL.

#include <memory>
#include <string>

#include "base/clock.h"
#include "engine/backend.h"
#include "http/client.h"

namespace minimill::engine {

struct RemoteEngineOptions {
  std::string name;      // what apps call the model
  std::string base_url;  // "http://127.0.0.1:11434/v1"
  std::string model;     // what the server calls it
  std::string key;       // sent as a bearer token if not empty
  std::int64_t context_tokens = 0;
  chat::Destination destination = chat::Destination::kDevice;  // where base_url leads
};

class RemoteEngine final : public Backend {
 public:
  RemoteEngine(http::Client& client, const Clock& clock, RemoteEngineOptions options);

  asio::awaitable<Result<chat::ChatAnswer>> complete(const chat::ChatRequest& request) override;
  asio::awaitable<Result<std::unique_ptr<chat::ChatStream>>> stream(
      const chat::ChatRequest& request) override;
  asio::awaitable<Result<std::string>> post(std::string path, std::string body,
                                            chat::Deadline deadline) override;
  EngineStatus status() const override;
  std::int64_t context_tokens() const override { return options_.context_tokens; }
  chat::Destination destination() const override { return options_.destination; }
  asio::awaitable<void> stop() override;

 private:
  http::Client& client_;
  const Clock& clock_;
  RemoteEngineOptions options_;
};

}  // namespace minimill::engine
