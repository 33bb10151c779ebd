#pragma once

// The way of an app's request: decided, queued in its lane, answered, recorded.
//
//   Ask ask{.request = …, .choice = …, .privacy = …};
//   Result<Served> served = co_await gateway.complete(std::move(ask));
//
// If the app left the lane open and the device fails (no engine, out of memory, prompt too long),
// the cloud is asked instead where privacy allows; otherwise the error is the answer. Whatever
// happens, one row goes into the ledger, also when the app leaves in the middle. Event-loop thread
// only.

#include <boost/asio/awaitable.hpp>
#include <memory>
#include <string>

#include "base/ids.h"
#include "chat/chat_event.h"
#include "daemon/backends.h"
#include "daemon/model_selector.h"
#include "lane/lanes.h"
#include "ledger/ledger.h"
#include "route/router.h"

namespace minimill::daemon {

struct Ask {
  chat::ChatRequest request;
  ModelChoice choice;
  policy::Privacy privacy = policy::Privacy::kAllow;
  std::string app;
};

/// Who answers, known before the first token.
struct Serving {
  RequestId id;
  route::Decision decision;
  route::Lane lane = route::Lane::kLocal;  // differs from the decision's after a fallback
  std::string model;
  double queued_ms = 0;
};

struct Served {
  Serving serving;
  chat::ChatAnswer answer;
};

struct ServedStream {
  Serving serving;
  std::unique_ptr<chat::ChatStream> stream;
};

class OpenRequest;

class Gateway {
 public:
  Gateway(const Clock& clock, IdSource& ids, route::Router& router, ModelSelector& selector,
          Engines& engines, Backends& backends, lane::Lanes& lanes, ledger::Ledger& ledger);

  /// Lane and model, without carrying anything out.
  Result<route::Decision> decide(const Ask& ask);

  asio::awaitable<Result<Served>> complete(Ask ask);
  asio::awaitable<Result<ServedStream>> stream(Ask ask);

 private:
  template <class Answer>
  using Attempt = asio::awaitable<Result<Answer>> (Backends::*)(route::Lane, std::string_view,
                                                                const chat::ChatRequest&,
                                                                policy::Privacy);

  /// Decides, waits in the lane and attempts, on the other lane too where that is allowed.
  template <class Answer>
  asio::awaitable<Result<Answer>> serve(OpenRequest& open, Attempt<Answer> attempt);
  bool may_fall_back(const Ask& ask, const Error& error) const;

  const Clock& clock_;
  IdSource& ids_;
  route::Router& router_;
  ModelSelector& selector_;
  Engines& engines_;
  Backends& backends_;
  lane::Lanes& lanes_;
  ledger::Ledger& ledger_;
};

}  // namespace minimill::daemon
