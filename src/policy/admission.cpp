#include "policy/admission.h"

#include <fmt/format.h>

#include <utility>

#include "base/log.h"

namespace minimill::policy {
namespace {

std::unexpected<Error> may_not(std::string message, std::string hint) {
  return std::unexpected(
      fail(ErrorCode::kForbidden, std::move(message), std::move(hint)).error().with_field("model"));
}

}  // namespace

std::uint64_t Admission::refresh() {
  const SteadyTime now = clock_.steady();
  if (now >= look_at_) {
    look_at_ = now + kLookAgain;
    if (const Result<> read = apps_.refresh(); !read) {
      log::error("the apps' keys and budgets cannot be read again: {}", read.error().to_string());
    }
  }
  return apps_.changes();
}

std::optional<chat::Lane> Admission::lane_of(std::string_view app) const {
  const App* known = apps_.named(app);
  return known == nullptr ? std::nullopt : known->lane;
}

Privacy Admission::privacy_of(std::string_view app) const {
  const App* known = apps_.named(app);
  return known != nullptr && known->privacy ? *known->privacy : defaults_.privacy;
}

Request Admission::own(std::string_view app, chat::Origin origin, chat::ChatRequest chat,
                       Privacy privacy) const {
  Request request;
  request.chat = std::move(chat);
  request.app = app;
  request.origin = origin;
  request.privacy = privacy;
  request.accepts_degraded = defaults_.accept_degraded;
  return request;
}

Result<Request> Admission::admit(std::string_view app, chat::ChatRequest chat, Wishes wishes) {
  Request request = own(app, chat::Origin::kApp, std::move(chat),
                        wishes.privacy ? *wishes.privacy : privacy_of(app));
  request.choice = std::move(wishes.choice);
  request.max_cost_usd = wishes.max_cost_usd;
  request.label = std::move(wishes.label);
  if (wishes.accepts_degraded) request.accepts_degraded = *wishes.accepts_degraded;

  const App* known = apps_.named(app);
  if (known == nullptr) return request;
  if (!may_ask_for(*known, request.chat.model())) {
    return may_not(
        fmt::format("the app '{}' may not ask for '{}'", known->name, request.chat.model()),
        "minimill key set says which models it may ask for");
  }
  if (known->lane) {
    if (request.choice.lane && *request.choice.lane != *known->lane) {
      return may_not(fmt::format("the app '{}' may use the {} lane only", known->name,
                                 chat::name(*known->lane)),
                     "ask for 'auto'");
    }
    request.choice.lane = known->lane;
  }
  if (Result<> taken = limits_.take_requests(*known, request.chat.choices); !taken) {
    return std::unexpected(std::move(taken.error()));
  }
  return request;
}

}  // namespace minimill::policy
