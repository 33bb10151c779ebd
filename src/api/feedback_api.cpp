#include "api/feedback_api.h"

#include <fmt/format.h>

#include <optional>
#include <utility>

#include "api/json_response.h"
#include "base/json.h"

namespace minimill::api {
namespace {

constexpr int kOk = 200;
constexpr std::size_t kMaxCommentBytes = 2'000;

struct Feedback {
  std::string request_id;
  bool good = false;
  std::string comment;
};

Result<Feedback> parse(std::string_view body) {
  const Result<boost::json::object> object = parse_json_object(body);
  if (!object) return std::unexpected(object.error());
  Fields fields(*object);
  Feedback feedback;
  feedback.request_id = fields.required_string("request_id");
  const std::string outcome = fields.required_string("outcome");
  feedback.comment = fields.string_or("comment", "");
  feedback.good = outcome == "good";
  if (!feedback.good && outcome != "bad") fields.reject("outcome", "must be 'good' or 'bad'");
  if (feedback.comment.size() > kMaxCommentBytes) {
    fields.reject("comment", fmt::format("must have at most {} bytes", kMaxCommentBytes));
  }
  if (!fields.ok()) return std::unexpected(std::move(fields).error());
  return feedback;
}

}  // namespace

FeedbackApi::FeedbackApi(const Clock& clock, learn::Outcomes& outcomes, ledger::Ledger& ledger)
    : clock_(clock), outcomes_(outcomes), ledger_(ledger) {}

void FeedbackApi::add_to(Routes& routes) {
  routes.add("POST", "/v1/feedback",
             {"How good an answer was: {request_id, outcome: good or bad, comment}", Who::kOwn},
             [this](http::Request& request, http::Responder& out, const PathParts&) {
               return feedback(request, out);
             });
}

Result<> FeedbackApi::may_judge(const http::Request& request, const RequestId& id) {
  // One that is still being written is in memory; anything older is in the ledger, or was never.
  std::optional<std::string> app = outcomes_.asked_by(id.value);
  if (!app) {
    const Result<std::optional<ledger::RequestRecord>> found = ledger_.find(id);
    if (!found) return std::unexpected(found.error());
    if (*found) app = (*found)->app;
  }
  if (app && scope_of(request).covers(*app)) return {};
  return fail(ErrorCode::kNotFound, fmt::format("no request '{}'", id.value),
              "use the value of x-minimill-request-id");
}

asio::awaitable<void> FeedbackApi::feedback(const http::Request& request, http::Responder& out) {
  Result<Feedback> said = parse(request.body);
  if (!said) {
    co_await send_json_error(said.error(), out);
    co_return;
  }
  const RequestId id{said->request_id};
  const Result<> theirs = may_judge(request, id);
  if (!theirs) {
    co_await send_json_error(theirs.error(), out);
    co_return;
  }
  const bool learnt = outcomes_.said(id.value, route::OutcomeKind::kFeedback, said->good);
  ledger::Outcome outcome{.request = id,
                          .at = clock_.wall(),
                          .kind = std::string(route::name(route::OutcomeKind::kFeedback)),
                          .ok = said->good,
                          .detail = std::move(said->comment)};
  const Result<> stored = co_await ledger_.store(std::move(outcome));
  if (!stored) {
    co_await send_json_error(stored.error(), out);
    co_return;
  }
  const boost::json::value answer =
      boost::json::object{{"request_id", id.value}, {"recorded", true}, {"learnt", learnt}};
  co_await send_json(kOk, answer, out);
}

}  // namespace minimill::api
