#pragma once

// One llama-server child process for one model file, on a Unix socket.
//
// Started on the first request, watched, restarted with back-off when it dies, stopped after
// `idle_stop` without a request and with the daemon. It runs under a guard (see guard.h), so that
// it also ends when the daemon is killed. A request that was under way when the engine died is
// retried once on the new one: a stream goes on where it stopped, by sending what was already
// answered as the beginning of the assistant's message. Event-loop thread only.

#include <boost/asio/io_context.hpp>
#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "engine/backend.h"
#include "http/client.h"

namespace minimill::engine {

struct LlamaEngineOptions {
  std::string name;                    // what apps call the model: "smollm2:135m"
  std::filesystem::path model;         // a GGUF
  std::filesystem::path llama_server;  // the program
  std::filesystem::path guard;         // the minimill binary itself: `minimill engine-guard …`
  std::filesystem::path socket_dir;    // 0700; socket paths are limited to ~100 bytes
  int slots = 2;                       // parallel sequences
  int context_per_slot = 4096;         // tokens
  int threads = 0;                     // 0: llama-server's own choice
  bool embeddings = false;             // it makes vectors of texts, and does not chat
  std::string pooling;                 // of embeddings: "mean", …; empty: the model's own
  std::vector<std::string> extra_args;
  std::function<void(int)> on_slots;  // told how many the server really has, whenever it is ready
  std::chrono::milliseconds start_timeout{120'000};
  std::chrono::milliseconds idle_stop{600'000};  // 0: never
  std::chrono::milliseconds backoff_first{250};
  std::chrono::milliseconds backoff_max{30'000};
};

class LlamaEngine final : public Backend {
 public:
  LlamaEngine(asio::io_context& io, http::Client& client, const Clock& clock,
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
  asio::awaitable<void> stop() override;

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

/// The llama-server to run: the one that MINIMILL_LLAMA_SERVER in the environment names, else
/// `configured` if set, else the one on PATH if it is at least v0.5, else the one that `make` built
/// under the cache folder. kNotFound says how to get one. Blocks for as long as a program on PATH
/// takes to say its version: for the start only.
Result<std::filesystem::path> find_llama_server(const std::filesystem::path& configured);

}  // namespace minimill::engine
