#pragma once

// One llama-server child process for one model file, on a Unix socket.
//
// Started on the first request, once its host has room for it, watched, restarted with back-off
// when it dies, stopped after `idle_stop` without a request, when room is needed, and with the
// daemon. It runs under a guard (see guard.h), so that it also ends when the daemon is killed. A
// request that was under way when the engine died is retried once on the new one: a stream goes on
// where it stopped, by sending what was already answered as the beginning of the assistant's
// message. Event-loop thread only.

#include <boost/asio/io_context.hpp>
#include <chrono>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "engine/backend.h"
#include "engine/engine_host.h"
#include "http/client.h"

namespace minimill::engine {

/// llama-server keeps evicted prompts in host memory, by default up to 8 GiB of it. Enough for a
/// few long conversations, and small beside any model worth running.
inline constexpr int kPromptCacheMib = 256;

struct LlamaEngineOptions {
  std::string name;                  // what apps call the model: "smollm2:135m"
  std::filesystem::path model;       // a GGUF
  std::filesystem::path socket_dir;  // 0700; socket paths are limited to ~100 bytes
  int slots = 2;                     // parallel sequences
  int context_per_slot = 4096;       // tokens
  int threads = 0;                   // 0: llama-server's own choice
  bool embeddings = false;           // it makes vectors of texts, and does not chat
  std::string pooling;               // of embeddings: "mean", …; empty: the model's own
  std::vector<std::string> extra_args;
  std::chrono::milliseconds start_timeout{120'000};
  std::chrono::milliseconds idle_stop{600'000};  // 0: never
  std::chrono::milliseconds backoff_first{250};
  std::chrono::milliseconds backoff_max{30'000};
};

class LlamaEngine final : public Backend {
 public:
  /// `host` must outlive the engine.
  LlamaEngine(asio::io_context& io, http::Client& client, const Clock& clock, EngineHost& host,
              LlamaEngineOptions options);
  ~LlamaEngine() override;  // kills the child

  asio::awaitable<Result<chat::ChatAnswer>> complete(const chat::ChatRequest& request) override;
  asio::awaitable<Result<std::unique_ptr<chat::ChatStream>>> stream(
      const chat::ChatRequest& request) override;
  asio::awaitable<Result<std::string>> post(std::string path, std::string body,
                                            chat::Deadline deadline) override;
  asio::awaitable<Result<>> warm_up() override;
  void keep_alive(std::chrono::seconds time) override;
  EngineStatus status() const override;
  std::int64_t context_tokens() const override;
  chat::Destination destination() const override { return chat::Destination::kDevice; }
  asio::awaitable<void> stop() override;
  /// Stops it without waiting for the end; requests under way fail.
  void begin_stop();
  /// Something has changed that it may wait for.
  void notify();

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace minimill::engine
