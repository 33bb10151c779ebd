#include "daemon/gateway.h"

#include <utility>

#include "daemon/open_request.h"

namespace minimill::daemon {
namespace {

/// A backend's stream that keeps the request's place in its lane and writes its row when it ends.
class LedgeredStream final : public chat::ChatStream {
 public:
  LedgeredStream(std::unique_ptr<OpenRequest> open, std::unique_ptr<chat::ChatStream> inner)
      : open_(std::move(open)), inner_(std::move(inner)) {}

  asio::awaitable<Result<std::optional<chat::ChatEvent>>> next() override {
    Result<std::optional<chat::ChatEvent>> event = co_await inner_->next();
    if (!event) {
      open_->close(event.error());
    } else if (!*event) {
      open_->end_attempt(usage_);
      open_->close();
    } else if (const auto* report = std::get_if<chat::UsageReport>(&**event)) {
      usage_ = report->usage;
    } else {
      open_->first_token();
    }
    co_return event;
  }

  const std::string& model() const override { return inner_->model(); }

 private:
  std::unique_ptr<OpenRequest> open_;  // outlives the backend's stream: members go in reverse order
  std::unique_ptr<chat::ChatStream> inner_;
  chat::Usage usage_;
};

}  // namespace

Gateway::Gateway(const Clock& clock, IdSource& ids, route::Router& router, ModelSelector& selector,
                 Engines& engines, Backends& backends, lane::Lanes& lanes, ledger::Ledger& ledger)
    : clock_(clock),
      ids_(ids),
      router_(router),
      selector_(selector),
      engines_(engines),
      backends_(backends),
      lanes_(lanes),
      ledger_(ledger) {}

Result<route::Decision> Gateway::decide(const Ask& ask) {
  route::RouteInput input = route::route_input(ask.request);
  input.privacy = ask.privacy;
  input.forced = ask.choice.lane;
  // A model the app names itself may be another than the default one: finding it settles the
  // matter.
  const bool named_local = ask.choice.lane == route::Lane::kLocal && !ask.choice.model.empty();
  input.local_available = named_local || engines_.default_available();
  input.cloud_available = selector_.cloud_available();
  input.local_context_tokens = engines_.context_tokens();
  Result<route::Decision> decision = router_.decide(input);
  if (decision) {
    decision->model =
        ask.choice.model.empty() ? selector_.default_model(decision->lane) : ask.choice.model;
  }
  return decision;
}

bool Gateway::may_fall_back(const Ask& ask, const Error& error) const {
  const bool device_failed = error.code != ErrorCode::kInvalidArgument &&
                             error.code != ErrorCode::kCancelled &&
                             error.code != ErrorCode::kForbidden;
  return device_failed && !ask.choice.lane && ask.privacy == policy::Privacy::kAllow &&
         selector_.cloud_available();
}

template <class Answer>
asio::awaitable<Result<Answer>> Gateway::serve(OpenRequest& open, Attempt<Answer> attempt) {
  const Ask& ask = open.ask();
  Result<route::Decision> decision = decide(ask);
  if (!decision) co_return std::unexpected(std::move(decision.error()));
  route::Lane lane = decision->lane;
  std::string model = decision->model;
  open.decided(std::move(*decision));
  while (true) {
    Result<lane::Slot> slot = co_await lanes_.enter(lane, lane::Priority::kInteractive);
    if (!slot) co_return std::unexpected(std::move(slot.error()));
    open.begin_attempt(lane, model, std::move(*slot));
    Result<Answer> answer = co_await (backends_.*attempt)(lane, model, ask.request, ask.privacy);
    if (answer) co_return answer;
    open.fail_attempt(answer.error());
    if (lane == route::Lane::kCloud || !may_fall_back(ask, answer.error())) co_return answer;
    lane = route::Lane::kCloud;
    model = selector_.default_model(lane);
  }
}

asio::awaitable<Result<Served>> Gateway::complete(Ask ask) {
  OpenRequest open(clock_, backends_, ledger_, ids_.request(), std::move(ask));
  Result<chat::ChatAnswer> answer = co_await serve<chat::ChatAnswer>(open, &Backends::complete);
  if (!answer) {
    open.close(answer.error());
    co_return std::unexpected(std::move(answer.error()));
  }
  open.end_attempt(answer->usage);
  Served served{.serving = open.serving(), .answer = std::move(*answer)};
  open.close();
  co_return served;
}

asio::awaitable<Result<ServedStream>> Gateway::stream(Ask ask) {
  auto open =
      std::make_unique<OpenRequest>(clock_, backends_, ledger_, ids_.request(), std::move(ask));
  Result<std::unique_ptr<chat::ChatStream>> stream =
      co_await serve<std::unique_ptr<chat::ChatStream>>(*open, &Backends::stream);
  if (!stream) {
    open->close(stream.error());
    co_return std::unexpected(std::move(stream.error()));
  }
  ServedStream served{.serving = open->serving(), .stream = nullptr};
  served.stream = std::make_unique<LedgeredStream>(std::move(open), std::move(*stream));
  co_return served;
}

}  // namespace minimill::daemon
