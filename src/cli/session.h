#pragma once

// A daemon to talk to: the one that runs on this machine, or, where none does, one of this
// process's own for as long as the command takes.

#include <memory>
#include <string>

#include "cli/api_client.h"
#include "cli/command.h"

namespace minimill::cli {

struct SessionOptions {
  bool carry_out_tasks = false;  // a daemon of our own also works on the queue
};

class Session {
 public:
  static Result<Session> open(const Context& context, config::Config config,
                              SessionOptions options);
  Session(Session&&) noexcept;
  Session& operator=(Session&&) = delete;
  ~Session();  // stops a daemon of our own

  ApiClient& api() { return *api_; }
  /// True where the daemon lives in this process.
  bool own() const { return own_ != nullptr; }

 private:
  struct Own;
  Session(std::unique_ptr<Own> own, std::unique_ptr<ApiClient> api);

  std::unique_ptr<Own> own_;
  std::unique_ptr<ApiClient> api_;
};

}  // namespace minimill::cli
