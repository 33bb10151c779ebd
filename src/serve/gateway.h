#pragma once

// The way of every request: decided, queued in its lane, answered, checked, recorded.
//
// A request waits its turn in its lane; where that lane's backlog costs more than moving, the
// scheduler moves it to the other one.
//
// Where the lane was left open, a local answer's first tokens are held back while their log-
// probabilities are watched; where they look bad, the cloud answers instead, and the app does not
// notice. So it does where the device fails, whatever its error, or its answer is not in the form
// asked for; where privacy or cost forbid that, the error is the answer.
// Whatever happens, one row goes into the ledger, also when the app leaves in the middle.
// Event-loop thread only.

#include <memory>
#include <vector>

#include "base/clock.h"
#include "base/ids.h"
#include "check/answer_format.h"
#include "lane/lanes.h"
#include "serve/decider.h"
#include "serve/observer.h"
#include "serve/service.h"
#include "serve/stage.h"

namespace minimill::serve {

class OpenRequest;

class Gateway final : public Service {
 public:
  /// `stages`, in their order, outlive this, as everything else here does.
  Gateway(const Clock& clock, IdSource& ids, Decider& decider, lane::Lanes& lanes,
          const Backends& backends, std::vector<Stage*> stages, const Observers& observers);

  Result<chat::Decision> decide(const policy::Request& request) override;
  Result<chat::Decision> meet(const policy::Request& request) override;
  lane::Job job(const policy::Request& request, const chat::Decision& decision,
                std::optional<SteadyTime> due) override;
  policy::Budgets::Hold reserve(const policy::Request& request,
                                const chat::Decision& decision) override;

  asio::awaitable<Result<Served>> complete(policy::Request request) override;
  asio::awaitable<Result<ServedStream>> stream(policy::Request request) override;
  asio::awaitable<Result<Served>> complete(policy::Request request, Turn turn) override;
  asio::awaitable<Result<Embedded>> embed(policy::Request request,
                                          protocol::EmbeddingRequest texts) override;

 private:
  /// Either a whole answer or a stream.
  struct Reply {
    std::optional<chat::ChatAnswer> answer;
    std::unique_ptr<chat::ChatStream> stream;
  };
  /// What an attempt is to give.
  struct Wanted {
    const check::AnswerFormat& format;
    bool whole = false;
    bool watched = false;
  };

  /// How far a request has come, from lane to lane.
  struct Way {
    Work work;
    std::optional<Error> refused;  // why an answer was not taken
    bool last_resort = false;      // the device is tried because the cloud could not
  };

  std::unique_ptr<OpenRequest> open(policy::Request request, RequestId id);

  /// Decides, waits in the lane and attempts, on the other lane too where that is allowed.
  asio::awaitable<Result<Reply>> serve(OpenRequest& open, bool whole);
  void go_to(chat::Lane lane, Way& way) const;
  /// The attempt in `lane` failed: on to the other one, or false.
  bool go_on(OpenRequest& open, const Error& failed, chat::Lane lane, bool moved, Way& way) const;
  asio::awaitable<Result<Reply>> attempt(OpenRequest& open, Wanted wanted);
  asio::awaitable<Result<Reply>> ask(OpenRequest& open, const Wanted& wanted);
  asio::awaitable<Result<Reply>> hold_back(OpenRequest& open, Wanted wanted, Reply reply);
  /// Does the beginning of a local answer look good enough?
  Result<> watch(OpenRequest& open, std::size_t tokens, std::chrono::nanoseconds took,
                 double mean_logprob);
  Result<> check_form(OpenRequest& open, const check::AnswerFormat& format,
                      const chat::ChatAnswer& answer);
  asio::awaitable<Result<const policy::Request*>> apply_stages_to(OpenRequest& open);

  Served served(OpenRequest& open, chat::ChatAnswer answer);
  void judge(const OpenRequest& open, route::OutcomeKind kind, bool ok, std::string detail);
  /// The device may answer what the cloud, out of reach, does not.
  bool may_degrade(const OpenRequest& open, ErrorCode from_cloud) const;
  void degrade(OpenRequest& open) const;

  const Clock& clock_;
  IdSource& ids_;
  Decider& decider_;
  lane::Lanes& lanes_;
  const Backends& backends_;
  std::vector<Stage*> stages_;
  const Observers& observers_;
};

}  // namespace minimill::serve
