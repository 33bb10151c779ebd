#pragma once

// A model being pulled for an app: progress as lines of JSON in Ollama's words, or the end alone.
// Only what is known by name or, for the owner, comes from Hugging Face: no app may have files of
// this machine copied, or servers in the house asked. Destroying it ends the download, which the
// next pull goes on with.

#include <boost/asio/cancellation_signal.hpp>
#include <memory>
#include <string>

#include "http/client.h"
#include "http/server.h"
#include "models/store.h"

namespace minimill::api {

namespace asio = boost::asio;

class PullStream {
 public:
  /// `known_only`: not from Hugging Face either, whose models anyone can have put there.
  PullStream(http::Client& client, const models::Store& store, std::string name, bool known_only)
      : client_(client), store_(store), name_(std::move(name)), known_only_(known_only) {}
  ~PullStream();
  PullStream(const PullStream&) = delete;
  PullStream& operator=(const PullStream&) = delete;

  /// Answers with lines to the end.
  asio::awaitable<void> run(http::Responder& out);
  /// Without progress.
  asio::awaitable<Result<models::Model>> whole();

 private:
  struct State;
  Result<> check_name() const;
  void start(const asio::any_io_executor& executor);

  http::Client& client_;
  const models::Store& store_;
  std::string name_;
  bool known_only_;
  std::shared_ptr<State> state_;  // shared with the download
};

}  // namespace minimill::api
