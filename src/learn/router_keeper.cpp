#include "learn/router_keeper.h"

#include <fmt/format.h>

#include <utility>

#include "base/log.h"
#include "route/learnt.h"

namespace minimill::learn {
namespace {

constexpr std::string_view kState = "router";  // among the ledger's saved states

}  // namespace

Result<route::Router> load_router(ledger::Ledger& ledger, route::RouterOptions options) {
  Result<std::optional<std::string>> state = ledger.load_state(kState);
  if (!state) return std::unexpected(std::move(state.error()));
  if (!*state) return route::Router(options);
  Result<route::Router> router = route::Router::load(**state, options);
  if (router) return router;
  log::warn("what the router had learnt cannot be read ({}); it starts from its prior",
            router.error().message);
  ledger.save_state(fmt::format("{}.unreadable", kState), std::move(**state));
  return route::Router(options);
}

RouterKeeper::RouterKeeper(asio::io_context& io, const Clock& clock, const route::Router& router,
                           ledger::Ledger& ledger)
    : clock_(clock),
      router_(router),
      ledger_(ledger),
      wake_(io.get_executor()),
      work_(io, "saving what the router learnt") {}

asio::awaitable<void> RouterKeeper::keep() {
  while (!work_.stopping()) {
    co_await wake_.wait_until(clock_.steady() + kSaveEvery);
    save();
  }
}

asio::awaitable<void> RouterKeeper::stop() {
  co_await work_.stop();
  save();
}

void RouterKeeper::save() {
  if (!std::exchange(learnt_, false)) return;
  // A copy is made here; turning it into bytes is left to the writer's thread.
  ledger_.save_state(std::string(kState),
                     [learnt = router_.snapshot()] { return learnt->encode(); });
}

}  // namespace minimill::learn
