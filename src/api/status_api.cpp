#include "api/status_api.h"

#include "api/json_response.h"
#include "base/rfc3339.h"
#include "base/version.h"

namespace minimill::api {
namespace {

namespace json = boost::json;

constexpr int kOk = 200;

ledger::Totals without(ledger::Totals totals, const ledger::Totals& others) {
  totals.requests -= others.requests;
  totals.local -= others.local;
  totals.cloud -= others.cloud;
  totals.errors -= others.errors;
  totals.prompt_tokens -= others.prompt_tokens;
  totals.completion_tokens -= others.completion_tokens;
  totals.cost_usd -= others.cost_usd;
  return totals;
}

json::object to_json(const ledger::Totals& totals) {
  return {{"requests", totals.requests},
          {"local", totals.local},
          {"cloud", totals.cloud},
          {"errors", totals.errors},
          {"prompt_tokens", totals.prompt_tokens},
          {"completion_tokens", totals.completion_tokens},
          {"cost_usd", totals.cost_usd}};
}

asio::awaitable<void> healthz(http::Responder& out) {
  const json::value healthy = json::object{{"status", "ok"}};
  co_await send_json(kOk, healthy, out);
}

}  // namespace

StatusApi::StatusApi(const Clock& clock, lane::Lanes& lanes, serve::Engines& engines,
                     serve::ModelSelector& selector, ledger::Ledger& ledger,
                     async::BlockingPool& offload)
    : started_(clock.wall()),
      lanes_(lanes),
      engines_(engines),
      selector_(selector),
      ledger_(ledger),
      offload_(offload) {
  if (const Result<ledger::Totals> totals = ledger_.totals(started_)) before_ = *totals;
}

void StatusApi::add_to(Routes& routes) {
  routes.add("GET", "/healthz", {"Is it up? Needs no key", Who::kAnyone},
             [](http::Request&, http::Responder& out, const PathParts&) { return healthz(out); });
  routes.add(
      "GET", "/minimill/v1/status", {"Lanes, engines, providers and totals", Who::kOwner},
      [this](http::Request&, http::Responder& out, const PathParts&) { return status(out); });
}

asio::awaitable<void> StatusApi::status(http::Responder& out) {
  json::array lanes;
  for (const chat::Lane lane : {chat::Lane::kLocal, chat::Lane::kCloud}) {
    lanes.push_back(
        {{"lane", chat::name(lane)},
         {"slots", lanes_.slots(lane)},
         {"running", lanes_.running(lane)},
         {"waiting", lanes_.waiting(lane)},
         {"expected_wait_s", lanes_.expected_wait_s(lane, lane::Priority::kBackground)}});
  }
  json::array engines;
  for (const engine::EngineStatus& status : engines_.statuses()) {
    engines.push_back({{"model", status.name},
                       {"state", engine::name(status.state)},
                       {"pid", status.pid},
                       {"restarts", status.restarts},
                       {"error", status.error}});
  }
  json::array providers;
  for (const cloud::Provider* provider : selector_.providers()) {
    json::array models(provider->options().models.begin(), provider->options().models.end());
    providers.push_back({{"name", provider->options().name}, {"models", std::move(models)}});
  }
  const WallTime since = started_;
  std::function<Result<ledger::Totals>()> query = [this, since] { return ledger_.totals(since); };
  Result<ledger::Totals> totals = co_await offload_.run<Result<ledger::Totals>>(std::move(query));
  json::object shown{{"version", kVersion},
                     {"started_at", rfc3339(started_)},
                     {"local_model", engines_.default_model()},
                     {"local_model_present", engines_.default_available()},
                     {"lanes", std::move(lanes)},
                     {"engines", std::move(engines)},
                     {"providers", std::move(providers)}};
  if (totals) shown["totals"] = to_json(without(*totals, before_));
  const json::value status = std::move(shown);
  co_await send_json(kOk, status, out);
}

}  // namespace minimill::api
