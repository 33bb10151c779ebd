#include "api/embedding_service.h"

#include <utility>

#include "api/serving_headers.h"
#include "serve/open_request.h"

namespace minimill::api {

EmbeddingService::EmbeddingService(const Clock& clock, IdSource& ids,
                                   serve::ModelSelector& selector, serve::Backends& backends,
                                   lane::Lanes& lanes, ledger::Ledger& ledger, Access& access)
    : clock_(clock),
      ids_(ids),
      selector_(selector),
      backends_(backends),
      lanes_(lanes),
      ledger_(ledger),
      access_(access) {}

asio::awaitable<Result<Embedded>> EmbeddingService::embed(const http::Request& request,
                                                          protocol::EmbeddingRequest wanted) {
  serve::Ask ask = access_.new_ask(request);
  chat::RequestParts parts;
  parts.model = wanted.model;
  ask.request = chat::ChatRequest(std::move(parts));
  if (Result<> read = read_ask_headers(request.headers, ask); !read) {
    co_return std::unexpected(std::move(read.error()));
  }
  Result<serve::ModelChoice> choice = selector_.resolve(wanted.model);
  if (!choice) co_return std::unexpected(std::move(choice.error()));
  ask.choice = *choice;
  if (Result<> admitted = access_.admit(ask); !admitted) {
    co_return std::unexpected(std::move(admitted.error()));
  }

  chat::Decision decision;
  decision.lane = choice->lane.value_or(chat::Lane::kLocal);
  decision.model = choice->model.empty() ? selector_.default_model(decision.lane) : choice->model;
  decision.p_local_ok = 1;
  decision.reasons = {
      {.layer = "policy",
       .text = choice->lane ? "the app named it" : "embeddings are made on the device",
       .weight = 0}};
  const chat::Lane lane = decision.lane;
  const std::string model = decision.model;
  const policy::Privacy privacy = ask.privacy;
  const chat::Deadline deadline = ask.request.deadline;
  lane::Job job;
  job.lane = lane;
  job.priority = lane::Priority::kInteractive;
  job.app = ask.app;
  serve::OpenRequest open(clock_, backends_, ledger_, ids_.request(), std::move(ask));
  open.decided({}, std::move(decision));
  Result<lane::Slot> slot = co_await lanes_.enter(std::move(job), deadline);
  if (!slot) {
    open.close(slot.error());
    co_return std::unexpected(std::move(slot.error()));
  }
  open.begin_attempt(lane, model, std::move(*slot), {}, false);
  Result<protocol::EmbeddingAnswer> answer =
      co_await backends_.embed(lane, model, wanted, privacy, deadline);
  if (answer && wanted.dimensions)
    answer = protocol::shorten(std::move(*answer), *wanted.dimensions);
  if (!answer) {
    open.close(answer.error());
    co_return std::unexpected(std::move(answer.error()));
  }
  const chat::Usage usage{.prompt_tokens = answer->prompt_tokens};
  open.end_attempt(usage);
  Embedded embedded{
      .answer = std::move(*answer), .serving = open.serving(), .cost_usd = open.cost_usd()};
  if (wanted.dimensions) embedded.serving.emulated.emplace_back("dimensions");
  open.close();
  co_return embedded;
}

}  // namespace minimill::api
