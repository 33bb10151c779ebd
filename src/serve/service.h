#pragma once

// What everybody who wants an answer gets: apps by way of the api, tasks, batches, shadow, and what
// is to come (a planner, evals, agents). One way for all of them: decided, queued in its lane,
// answered, checked, recorded.
//
//   Result<policy::Request> request = admission.admit(app, std::move(chat), wishes);
//   Result<Served> served = co_await service.complete(std::move(*request));
//
// Event-loop thread only.

#include <boost/asio/awaitable.hpp>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/ids.h"
#include "chat/chat_event.h"
#include "lane/lanes.h"
#include "policy/budgets.h"
#include "policy/request.h"
#include "protocol/embeddings.h"
#include "serve/call.h"

namespace minimill::serve {

namespace asio = boost::asio;

/// Who answers, known before the first token.
struct Serving {
  RequestId id;
  chat::Decision decision;
  chat::Lane lane = chat::Lane::kLocal;  // differs from the decision's after a fallback
  std::string backend;                   // the engine or provider, by name
  std::string model;
  std::string escalated;  // why another backend's answer was not taken; empty: this is the first
  double queued_ms = 0;
  std::vector<std::string> emulated;  // fields of the request that minimill did itself
  std::vector<std::string> left_out;  // fields the backend knows nothing like
};

struct Served {
  Serving serving;
  std::vector<chat::ChatAnswer> answers;  // one, or as many as the request has choices
  double cost_usd = 0;
};

struct ServedStream {
  Serving serving;
  std::unique_ptr<chat::ChatStream> stream;
};

struct Embedded {
  protocol::EmbeddingAnswer answer;
  Serving serving;
  double cost_usd = 0;
};

/// A place in a lane that a request waited for elsewhere, and what was decided of it before.
struct Turn {
  RequestId id;
  lane::Slot slot;
  chat::Decision decision;
};

class Service {
 public:
  virtual ~Service() = default;

  /// Lane and model, without carrying anything out. An error: nothing can serve it now.
  virtual Result<chat::Decision> decide(const policy::Request& request) = 0;
  /// The same of a work that comes for the first time: the router counts it as met.
  virtual Result<chat::Decision> meet(const policy::Request& request) = 0;
  /// What the scheduler is told of it. `due`: when it is to have ended, if not by its own deadline.
  virtual lane::Job job(const policy::Request& request, const chat::Decision& decision,
                        std::optional<SteadyTime> due) = 0;
  /// Its expected cost in the cloud, counted as spent while the Hold lives.
  virtual policy::Budgets::Hold reserve(const policy::Request& request,
                                        const chat::Decision& decision) = 0;

  virtual asio::awaitable<Result<Served>> complete(policy::Request request) = 0;
  virtual asio::awaitable<Result<ServedStream>> stream(policy::Request request) = 0;
  /// One attempt, in the lane whose turn it is; what becomes of a failure is the caller's to say.
  virtual asio::awaitable<Result<Served>> complete(policy::Request request, Turn turn) = 0;
  /// Vectors of texts; `request.chat` names the model and the deadline.
  virtual asio::awaitable<Result<Embedded>> embed(policy::Request request,
                                                  protocol::EmbeddingRequest texts) = 0;
};

}  // namespace minimill::serve
