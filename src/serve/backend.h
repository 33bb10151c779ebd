#pragma once

// Anything that answers: the engines on the device, the providers in the cloud, and what is to come
// (a micro-model, a planner, another machine). One for each lane is in the Backends.
//
// A backend whose destination is not the device passes on what policy has cleared for it and
// nothing else: providers take Cleared<…> only, so that this does not rest on care.
// Event-loop thread only.

#include <array>
#include <boost/asio/awaitable.hpp>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "chat/chat_event.h"
#include "chat/destination.h"
#include "policy/request.h"
#include "protocol/embeddings.h"
#include "protocol/translation.h"
#include "serve/call.h"

namespace minimill::serve {

namespace asio = boost::asio;

/// What of a request its price depends on.
struct Size {
  std::string_view model;
  bool any_model = false;  // the cheapest of those that may be asked
  chat::Usage usage;       // as expected
};

struct Estimate {
  bool ready = true;  // false: known to be out of reach now, nobody need wait for it
  double usd = 0;
};

class Backend {
 public:
  virtual ~Backend() = default;

  virtual chat::Destination destination() const = 0;
  /// Is there anything to ask at all?
  virtual bool available() = 0;
  /// The model that answers where the app named none; "" where there is none.
  virtual std::string default_model() const = 0;
  /// Tokens that a request to it may use, prompt and answer together; 0: not known, or any.
  virtual std::int64_t context_tokens() const { return 0; }
  /// How the request's fields fare there; kUnsupported names one that it cannot do.
  virtual Result<protocol::Fit> fit(const chat::ChatRequest& request, const Call& call) const = 0;
  virtual Estimate estimate(const Size& size) const = 0;
  /// What these tokens cost at `name`, one of those that answer here.
  virtual double cost_usd(std::string_view name, std::string_view model,
                          const chat::Usage& usage) const = 0;
  /// Who would answer, for the ledger; `call.done` knows better afterwards.
  virtual std::string name_of(std::string_view model) const = 0;

  virtual asio::awaitable<Result<chat::ChatAnswer>> complete(const policy::Request& request,
                                                             Call& call) = 0;
  virtual asio::awaitable<Result<std::unique_ptr<chat::ChatStream>>> stream(
      const policy::Request& request, Call& call) = 0;
  /// Vectors of texts; kUnsupported where it makes none.
  virtual asio::awaitable<Result<protocol::EmbeddingAnswer>> embed(
      const policy::Request& request, const protocol::EmbeddingRequest& texts, Call& call);
  /// The tokens of a prompt, counted by whoever would answer it; kUnsupported where it cannot.
  virtual asio::awaitable<Result<std::int64_t>> count_tokens(const policy::Request& request,
                                                             std::string_view model);
  /// An answer turned out so: for the record by which it chooses.
  virtual void judged(const Call& /*call*/, bool /*passed*/) {}
};

/// What these tokens cost at a backend where it is left to choose the model.
inline double default_cost_usd(const Backend& backend, const chat::Usage& usage) {
  const std::string model = backend.default_model();
  return backend.cost_usd(backend.name_of(model), model, usage);
}

/// A backend for each lane.
class Backends {
 public:
  Backends(Backend& local, Backend& cloud) : by_lane_{&local, &cloud} {}
  Backend& operator[](chat::Lane lane) const {
    return *by_lane_[static_cast<std::size_t>(chat::index(lane))];
  }

 private:
  std::array<Backend*, chat::kLaneCount> by_lane_;
};

}  // namespace minimill::serve
