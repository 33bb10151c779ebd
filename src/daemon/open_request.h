#pragma once

// An app's request under way: its place in a lane and its row in the ledger, which is written once,
// when the request is closed or, if nobody came to that, when it is destroyed.

#include <chrono>
#include <optional>

#include "base/clock.h"
#include "daemon/backends.h"
#include "daemon/gateway.h"
#include "lane/lanes.h"
#include "ledger/ledger.h"

namespace minimill::daemon {

class OpenRequest {
 public:
  OpenRequest(const Clock& clock, const Backends& backends, ledger::Ledger& ledger, RequestId id,
              Ask ask);
  ~OpenRequest();
  OpenRequest(const OpenRequest&) = delete;
  OpenRequest& operator=(const OpenRequest&) = delete;

  const Ask& ask() const { return ask_; }
  void decided(route::Decision decision) { record_.decision = std::move(decision); }
  void begin_attempt(route::Lane lane, std::string model, lane::Slot slot);
  void first_token();
  void fail_attempt(const Error& error);
  void end_attempt(const chat::Usage& usage);

  void close();
  void close(const Error& error);

  Serving serving() const;

 private:
  void write(int status);
  double attempt_ms() const;

  const Clock& clock_;
  const Backends& backends_;
  ledger::Ledger& ledger_;
  Ask ask_;
  ledger::RequestRecord record_;
  lane::Slot slot_;
  SteadyTime attempt_started_{};
  bool attempting_ = false;
  bool written_ = false;
};

}  // namespace minimill::daemon
