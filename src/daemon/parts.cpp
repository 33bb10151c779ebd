#include "daemon/parts.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "api/body_size.h"
#include "api/json_response.h"
#include "api/openapi.h"
#include "api/wire_errors.h"
#include "daemon/room_options.h"
#include "http/origin.h"
#include "protocol/http_status.h"
#include "protocol/utf8.h"
#include "tasks/task_retention.h"

namespace minimill::daemon {
namespace {

constexpr std::string_view kSimCloud = "sim-cloud";
constexpr std::string_view kSimModel = "sim-large";
constexpr double kSimBatchPriceFactor = 0.5;
constexpr int kOk = 200;
constexpr int kUnauthorized = 401;
constexpr int kNotFound = 404;
constexpr int kMethodNotAllowed = 405;

cloud::ProviderOptions sim_provider_options(const std::string& url) {
  cloud::ProviderOptions options;
  options.name = kSimCloud;
  options.base_url = url + "/v1";
  options.models = {std::string(kSimModel)};
  options.batch_api = true;
  return options;
}

std::vector<ledger::Prunable> prunable() {
  std::vector<ledger::Prunable> kinds = tasks::prunable_tasks();
  kinds.insert(kinds.begin(), ledger::prunable_requests());
  return kinds;
}

cloud::PriceTable price_table(const config::Config& config) {
  cloud::PriceTable prices(config.catalogue);
  for (const auto& [model, price] : config.prices) prices.set(model, price);
  for (const config::ProviderConfig& provider : config.providers) {
    prices.set_batch_price_factor(provider.name, provider.batch_price_factor);
  }
  prices.set_batch_price_factor(std::string(kSimCloud), kSimBatchPriceFactor);
  return prices;
}

http::ServerOptions server_options(const config::Config& config) {
  http::ServerOptions options;
  // Where a key is always needed, a page of the web that guesses our address gains nothing.
  options.check_host = is_private(config);
  return options;
}

std::string error_body(int status, std::string_view message, std::string_view path) {
  constexpr int kTooLarge = 413;
  constexpr int kFull = 503;
  Error error;
  error.code = status == kTooLarge ? ErrorCode::kTooLarge
               : status == kFull   ? ErrorCode::kUnavailable
                                   : ErrorCode::kInvalidArgument;
  error.message = message;
  return api::write_error_for(path, error);
}

Error no_route(const http::Request& request, const std::string& allowed) {
  Error error;
  error.code = allowed.empty() ? ErrorCode::kNotFound : ErrorCode::kUnsupported;
  error.message =
      fmt::format("nothing answers {} {}", request.method, protocol::valid_utf8(request.path));
  error.hint = allowed.empty() ? "GET /openapi.json says what is served"
                               : fmt::format("this path takes {}", allowed);
  return error;
}

}  // namespace

Parts::Parts(asio::io_context& loop, DaemonOptions given, Stores opened, route::Router learnt,
             std::unique_ptr<distill::Ladder> the_ladder, SimProvider sim)
    : io(loop),
      options(std::move(given)),
      stores(std::move(opened)),
      clock(stores.clocks->even),
      random(options.random != nullptr ? *options.random : system_random),
      router(std::move(learnt)),
      ids(clock, random),
      client(io),
      prices(price_table(options.config)),
      pool(clock, prices, pool_options(options.config)),
      providers(make_providers(sim)),
      engine_pool(io, client, clock, residency_limits(options.config.local),
                  engine::guarded_llama_servers(io, offload, clock, options.program,
                                                llama_server_places(options))),
      engines(client, clock, options.config, options.environment, engine_pool, stores.sockets),
      selector(engines, all_providers()),
      ladder(std::move(the_ladder)),
      engine_backend(engines, random),
      micro_backend(clock, *ladder, engine_backend),
      provider_backend(clock, selector, prices, pool),
      backends(micro_backend, provider_backend),
      admission(clock, stores.apps, admission_defaults(options.config)),
      keeper(io, clock, router, stores.readers.ledger),
      outcomes(clock, router, keeper, stores.readers.ledger),
      observers(stores.readers.ledger),
      planner(stores.readers.ledger, backends),
      spending(clock, stores.apps, admission, stores.readers.ledger, router),
      learning(outcomes),
      lanes(io.get_executor(), scheduler_options(options.config)),
      decider(router, backends, spending, planner, watch_options(options.config), ladder.get()),
      gateway(clock, ids, decider, lanes, backends, {&plain_question}, observers),
      shadow(io, clock, shadow_options(options.config), gateway, admission, backends,
             stores.readers.ledger, outcomes, ladder.get()),
      mill_floor(clock),
      notify_policy(options.config.outbox.allow),
      outbox_runner(io, clock, random, options.config.outbox, notify_policy, client,
                    stores.readers.outbox),
      judge(clock, ids, random, task_options(options.config), outcomes, admission, decider,
            backends),
      batches(batch_tools(), ids, selector, client),
      answers(clock, judge, gateway),
      runner(io, clock, judge, gateway, {&batches, &answers}, lanes, stores.readers.tasks),
      clock_watch(io, clock, stores.readers.tasks,
                  [this] {
                    runner.wake();
                    outbox_runner.wake();
                  }),
      retention(io, clock, retention_options(options.config.ledger), prunable(), *stores.writer),
      sessions(clock, stores.readers.ledger),
      access(admission, !is_private(options.config), stores.apps, sessions),
      reader(admission, selector),
      chats(gateway, reader, parsing),
      embeddings(gateway, reader),
      openai(clock, chats, embeddings, stores.readers.responses),
      decisions(io.get_executor(), gateway, reader),
      anthropic(chats, gateway, reader, backends),
      ollama(clock, chats, embeddings, engines, selector, client, reader),
      models_api(engines, selector),
      feedback(clock, outcomes, stores.readers.ledger),
      providers_api(clock, options.config, selector, prices, pool),
      router_api(clock, chats, gateway, router, keeper),
      budget_api(stores.apps, spending),
      task_api(clock, ids, stores.readers.tasks, stores.readers.offload_tasks,
               stores.readers.offload_ledger, offload, runner, lanes, selector, engines,
               notify_policy, access),
      batch_api(batches, stores.readers.offload_batches, offload),
      outbox_api(clock, stores.readers.outbox, stores.readers.offload_outbox, offload,
                 outbox_runner),
      status_api(clock, lanes, engines, selector, stores.readers.offload_ledger, offload),
      ledger_api(clock, retention, std::move(stores.readers.offload_database), offload),
      distill_api(clock, *ladder),
      floor_api(clock, mill_floor, lanes, engines, router, stores.readers.offload_ledger, offload),
      page_api(sessions),
      server(
          io, server_options(options.config),
          [this](http::Request& request, http::Responder& out) { return handle(request, out); },
          error_body) {
  sim_cloud = std::move(sim.cloud);
  register_listeners();
  note_local_model();
  add_routes();
}

std::vector<std::unique_ptr<cloud::Provider>> Parts::make_providers(const SimProvider& sim) {
  std::vector<std::unique_ptr<cloud::Provider>> made;
  for (const config::ProviderConfig& provider : options.config.providers) {
    made.push_back(std::make_unique<cloud::Provider>(
        client, provider_options(provider, options.environment, options.config.catalogue)));
  }
  if (sim.cloud) {
    made.push_back(std::make_unique<cloud::Provider>(client, sim_provider_options(sim.url)));
  }
  return made;
}

std::vector<cloud::Provider*> Parts::all_providers() const {
  std::vector<cloud::Provider*> all;
  for (const auto& provider : providers) all.push_back(provider.get());
  return all;
}

tasks::BatchTools Parts::batch_tools() {
  return tasks::BatchTools{
      .io = io,
      .clock = clock,
      .config = options.config.batch,
      .prices = prices,
      .tasks = stores.readers.tasks,
      .batches = stores.readers.batches,
      .observers = observers,
      .request_of =
          [this](const tasks::Task& task) {
            policy::Request request = judge.request(task, chat::Lane::kCloud);
            request.origin = chat::Origin::kBatch;
            return request;
          },
      .reserve =
          [this](const policy::Request& request, const std::string& operation) {
            chat::Decision decision;
            decision.lane = chat::Lane::kCloud;
            decision.operation = operation;
            return gateway.reserve(request, decision);
          },
      .judge =
          [this](tasks::Task& task, const chat::ChatAnswer& answer) {
            judge.judge(task, chat::Lane::kCloud, answer);
          },
      .all_cloud_cost_usd =
          [this](const chat::Usage& usage) {
            return serve::default_cost_usd(provider_backend, usage);
          },
      .let_go = {}};
}

void Parts::register_listeners() {
  observers.add(planner);
  observers.add(spending);
  observers.add(learning);
  observers.add(*ladder);
  observers.add(shadow);
  observers.add(mill_floor);
  lanes.set_slots(chat::Lane::kLocal, engines.default_slots());
  engines.on_slots([this](int slots) { lanes.set_slots(chat::Lane::kLocal, slots); });
  follow_capacity();
  stores.readers.tasks.on_ended([this](const tasks::Consequences& then) {
    if (then.unblocked) runner.ready_since(then.at);
    if (then.effects) outbox_runner.wake();
  });
}

void Parts::follow_capacity() {
  const auto set_slots = [this](int capacity) {
    const int most = options.config.lanes.cloud_slots.value_or(capacity);
    lanes.set_slots(chat::Lane::kCloud, std::min(capacity, most));
  };
  for (const auto& provider : providers) pool.expect(*provider);
  set_slots(pool.capacity());
  pool.on_capacity(set_slots);
}

void Parts::note_local_model() {
  const std::vector<std::string> met = router.models();
  const bool known = std::ranges::find(met, engines.default_model()) != met.end();
  if (!met.empty() && !known) router.expect_change();
}

void Parts::add_routes() {
  page_api.add_to(routes);
  floor_api.add_to(routes);
  openai.add_to(routes);
  decisions.add_to(routes);
  anthropic.add_to(routes);
  ollama.add_to(routes);
  models_api.add_to(routes);
  feedback.add_to(routes);
  providers_api.add_to(routes);
  router_api.add_to(routes);
  budget_api.add_to(routes);
  routes.add(
      "GET", "/openapi.json", {"This document", api::Who::kOwn},
      [this](http::Request&, http::Responder& out, const api::PathParts&) -> asio::awaitable<void> {
        const boost::json::value document = api::openapi_document(routes);
        co_await api::send_json(kOk, document, out);
      });
  task_api.add_to(routes);
  batch_api.add_to(routes);
  outbox_api.add_to(routes);
  status_api.add_to(routes);
  ledger_api.add_to(routes);
  distill_api.add_to(routes);
}

asio::awaitable<void> Parts::handle(http::Request& request, http::Responder& out) {
  const api::Routes::Match match = routes.find(request.method, request.path);
  const Result<> may = admit(request, match);
  if (!may) {
    http::Headers headers{{"content-type", "application/json"}};
    const int status = protocol::http_status(may.error());
    if (status == kUnauthorized) headers.add("www-authenticate", "Bearer");
    std::string body = api::write_error_for(request.path, may.error());
    co_await out.send(status, std::move(headers), std::move(body));
    co_return;
  }
  if (request.body.size() >= api::kBigBody) {
    std::function<Result<>()> look = [&request] { return api::check_values(request.body); };
    const Result<> fits = co_await parsing.run<Result<>>(std::move(look));
    if (!fits) {
      std::string body = api::write_error_for(request.path, fits.error());
      co_await api::send_error(fits.error(), std::move(body), out);
      co_return;
    }
  }
  if (match.entry != nullptr) {
    co_await match.entry->handler(request, out, match.parts);
    co_return;
  }
  const Error error = no_route(request, match.allowed);
  http::Headers headers{{"content-type", "application/json"}};
  if (!match.allowed.empty()) headers.add("allow", match.allowed);
  std::string body = api::write_error_for(request.path, error);
  const int status = match.allowed.empty() ? kNotFound : kMethodNotAllowed;
  co_await out.send(status, std::move(headers), std::move(body));
}

/// Whether anything is done for this request at all; for those let in only, what is not served.
Result<> Parts::admit(http::Request& request, const api::Routes::Match& match) {
  Result<> may = http::check_origin(request, options.config.origins);
  if (may) may = http::check_given_once(request.headers, "x-minimill-");
  if (!may) return may;
  return access.may_use(request, match.entry != nullptr ? match.entry->about.who : api::Who::kOwn);
}

}  // namespace minimill::daemon
