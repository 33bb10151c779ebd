#include "daemon/daemon.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "api/access.h"
#include "api/anthropic_api.h"
#include "api/batch_api.h"
#include "api/budget_api.h"
#include "api/chat_api.h"
#include "api/embedding_service.h"
#include "api/feedback_api.h"
#include "api/json_response.h"
#include "api/ledger_api.h"
#include "api/models_api.h"
#include "api/ollama_api.h"
#include "api/openai_api.h"
#include "api/openapi.h"
#include "api/outbox_api.h"
#include "api/providers_api.h"
#include "api/router_api.h"
#include "api/routes.h"
#include "api/status_api.h"
#include "api/task_api.h"
#include "api/wire_errors.h"
#include "async/blocking_pool.h"
#include "base/even_clock.h"
#include "base/log.h"
#include "config/data_folder.h"
#include "daemon/distill_api.h"
#include "distill/ladder.h"
#include "distill/micro_backend.h"
#include "engine/engine_pool.h"
#include "http/origin.h"
#include "learn/outcomes.h"
#include "learn/router_keeper.h"
#include "models/memory.h"
#include "policy/app_store.h"
#include "protocol/http_status.h"
#include "protocol/utf8.h"
#include "responses/response_store.h"
#include "serve/engine_backend.h"
#include "serve/engines.h"
#include "serve/gateway.h"
#include "serve/job_planner.h"
#include "serve/learning.h"
#include "serve/model_selector.h"
#include "serve/provider_backend.h"
#include "serve/shadow.h"
#include "serve/spending.h"
#include "simcloud/sim_cloud.h"
#include "tasks/batch_runner.h"
#include "tasks/clock_watch.h"
#include "tasks/outbox_runner.h"
#include "tasks/task_judge.h"
#include "tasks/task_retention.h"
#include "tasks/task_runner.h"

namespace minimill::daemon {
namespace {

constexpr std::string_view kSimCloud = "sim-cloud";
constexpr std::chrono::milliseconds kOutboxGrace{5'000};
constexpr std::string_view kSimModel = "sim-large";
constexpr double kSimBatchPriceFactor = 0.5;

/// Only this machine, unless apps need keys.
Result<> check_address(std::string_view address, bool has_keys) {
  const bool loopback = address.starts_with("127.") || address.starts_with("localhost:") ||
                        address.starts_with("[::1]:") || address.starts_with("unix:");
  if (loopback || has_keys) return {};
  return fail_field("server.listen", fmt::format("'{}' is not a loopback address", address),
                    "without a key, minimill listens on this machine only: use 127.0.0.1:PORT, "
                    "[::1]:PORT or unix:/path, or make a key first: minimill key add APP");
}

/// Only this machine can reach us.
bool is_private(const config::Config& config) {
  return std::ranges::all_of(config.listen, [](const std::string& address) {
    return check_address(address, false).has_value();
  });
}

/// A tenth of what is free is left to everything else.
engine::ResidencyLimits residency_limits(const config::LocalConfig& local) {
  return {.memory = local.memory > 0 ? local.memory : models::available_memory() / 10 * 9,
          .engines = local.max_engines};
}

engine::LlamaServerPlaces llama_server_places(const DaemonOptions& options) {
  const auto variable = [&options](std::string_view name) { return options.environment.get(name); };
  return engine::llama_server_places(variable, options.config.local.llama_server);
}

cloud::ProviderOptions provider_options(const config::ProviderConfig& config,
                                        const config::Environment& environment) {
  cloud::ProviderOptions options;
  options.name = config.name;
  options.protocol = config.protocol;
  options.base_url = config.base_url;
  options.key = environment.get(config.key_env);
  options.key_env = config.key_env;
  options.key_header = config.key_header;
  options.models = config.models;
  options.batch_api = config.batch_api;
  options.max_concurrent = config.max_concurrent;
  return options;
}

cloud::ProviderOptions sim_provider_options(const std::string& url) {
  cloud::ProviderOptions options;
  options.name = kSimCloud;
  options.base_url = url + "/v1";
  options.models = {std::string(kSimModel)};
  options.batch_api = true;
  return options;
}

cloud::PoolOptions pool_options(const config::Config& config) {
  cloud::PoolOptions options;
  options.preference = config.cloud.weights;
  options.quality_margin = config.cloud.quality_margin;
  options.hedge_budget = config.cloud.hedge_budget;
  options.max_waiting = static_cast<std::size_t>(config.lanes.max_queued);
  return options;
}

serve::WatchOptions watch_options(const config::Config& config) {
  return {.enabled = config.watch.enabled,
          .tokens = static_cast<std::size_t>(config.watch.tokens),
          .time = std::chrono::milliseconds{config.watch.ms}};
}

policy::AdmissionDefaults admission_defaults(const config::Config& config) {
  return {.privacy = config.privacy, .accept_degraded = config.lanes.accept_degraded};
}

tasks::TaskOptions task_options(const config::Config& config) {
  return {.max_tokens = config.tasks.max_tokens,
          .max_local_tokens = config.local.max_answer_tokens,
          .max_attempts = config.tasks.max_attempts,
          .lease = std::chrono::seconds{config.tasks.lease_s},
          .accept_degraded = config.lanes.accept_degraded};
}

serve::ShadowOptions shadow_options(const config::Config& config) {
  return {.share = config.shadow.share,
          .usd_per_day = config.shadow.usd_per_day,
          .judge = config.shadow.judge};
}

/// For what is opened before the daemon's parts are built, and outlives them all the same.
const Clock& process_clock() {
  static const SystemClock clock;
  return clock;
}

Result<std::unique_ptr<sqlite::Writer>> open_writer(const std::filesystem::path& path) {
  Result<sqlite::Database> db = sqlite::Database::open(path, sqlite::Database::Mode::kReadWrite);
  if (!db) return std::unexpected(std::move(db.error()));
  if (Result<> migrated = ledger::migrate_ledger(*db); !migrated) {
    return std::unexpected(std::move(migrated.error()));
  }
  if (Result<> migrated = tasks::migrate_tasks(*db); !migrated) {
    return std::unexpected(std::move(migrated.error()));
  }
  if (Result<> migrated = tasks::migrate_batches(*db); !migrated) {
    return std::unexpected(std::move(migrated.error()));
  }
  if (Result<> prepared = ledger::prepare_to_shrink(*db); !prepared) {
    return std::unexpected(std::move(prepared.error()));
  }
  return std::make_unique<sqlite::Writer>(std::move(*db));
}

std::vector<ledger::Prunable> prunable() {
  std::vector<ledger::Prunable> kinds = tasks::prunable_tasks();
  kinds.insert(kinds.begin(), ledger::prunable_requests());
  return kinds;
}

ledger::RetentionOptions retention_options(const config::LedgerConfig& config) {
  return {.keep = std::chrono::seconds{static_cast<std::int64_t>(config.keep_s)},
          .max_bytes = config.max_bytes};
}

/// What is read from the database, each by a connection of its own.
struct Readers {
  ledger::Ledger ledger;  // event loop
  tasks::TaskStore tasks;
  tasks::BatchStore batches;
  ledger::Ledger offload_ledger;  // offload thread
  tasks::TaskStore offload_tasks;
  tasks::BatchStore offload_batches;
  responses::ResponseStore responses;  // event loop; a file of its own
  tasks::Outbox outbox;                // event loop
  tasks::Outbox offload_outbox;
  sqlite::Database offload_database;

  static Result<Readers> open(const config::DataFolder& folder, const Clock& clock,
                              sqlite::Writer& writer) {
    const std::filesystem::path path = folder.database();
    Result<ledger::Ledger> ledger = ledger::Ledger::open(path, writer);
    if (!ledger) return std::unexpected(std::move(ledger.error()));
    Result<tasks::TaskStore> tasks = tasks::TaskStore::open(path, writer);
    if (!tasks) return std::unexpected(std::move(tasks.error()));
    Result<tasks::BatchStore> batches = tasks::BatchStore::open(path, writer);
    if (!batches) return std::unexpected(std::move(batches.error()));
    Result<ledger::Ledger> offload_ledger = ledger::Ledger::open(path, writer);
    if (!offload_ledger) return std::unexpected(std::move(offload_ledger.error()));
    Result<tasks::TaskStore> offload_tasks = tasks::TaskStore::open(path, writer);
    if (!offload_tasks) return std::unexpected(std::move(offload_tasks.error()));
    Result<tasks::BatchStore> offload_batches = tasks::BatchStore::open(path, writer);
    if (!offload_batches) return std::unexpected(std::move(offload_batches.error()));
    Result<responses::ResponseStore> responses =
        responses::ResponseStore::open(folder.path() / "responses.db", clock);
    if (!responses) return std::unexpected(std::move(responses.error()));
    Result<tasks::Outbox> outbox = tasks::Outbox::open(path, writer);
    if (!outbox) return std::unexpected(std::move(outbox.error()));
    Result<tasks::Outbox> offload_outbox = tasks::Outbox::open(path, writer);
    if (!offload_outbox) return std::unexpected(std::move(offload_outbox.error()));
    Result<sqlite::Database> offload_database =
        sqlite::Database::open(path, sqlite::Database::Mode::kReadOnly);
    if (!offload_database) return std::unexpected(std::move(offload_database.error()));
    return Readers{std::move(*ledger),         std::move(*tasks),
                   std::move(*batches),        std::move(*offload_ledger),
                   std::move(*offload_tasks),  std::move(*offload_batches),
                   std::move(*responses),      std::move(*outbox),
                   std::move(*offload_outbox), std::move(*offload_database)};
  }
};

}  // namespace

lane::SchedulerOptions scheduler_options(const config::Config& config) {
  lane::SchedulerOptions options;
  // The cloud's real number is found out while it runs (Parts::follow_capacity).
  options.slots = {config.local.slots, config.lanes.cloud_slots.value_or(config.lanes.cloud_tasks)};
  options.most_background = {lane::SchedulerOptions::kNoBound, config.lanes.cloud_tasks};
  options.max_interactive = static_cast<std::size_t>(config.lanes.max_queued);
  options.usd_per_h = {config.lanes.app_waiting_usd_per_h, config.lanes.waiting_usd_per_h};
  options.running_share = config.lanes.running_share;
  options.balance = config.lanes.balance;
  if (config.lanes.first_come) options.order = lane::SchedulerOptions::Order::kFirstCome;
  return options;
}

/// Everything, in the order it is built: a part may refer to those above it.
struct Daemon::Parts {
  Parts(asio::io_context& loop, DaemonOptions given, config::DataFolder held,
        std::unique_ptr<sqlite::Writer> the_writer, Readers the_readers, policy::AppStore the_apps,
        route::Router the_router, std::filesystem::path the_sockets)
      : io(loop),
        options(std::move(given)),
        folder(std::move(held)),
        writer(std::move(the_writer)),
        readers(std::move(the_readers)),
        apps(std::move(the_apps)),
        sockets(std::move(the_sockets)),
        router(std::move(the_router)),
        ids(clock, random),
        client(io),
        prices(options.config.catalogue),
        pool(clock, prices, pool_options(options.config)),
        engine_pool(io, client, clock, residency_limits(options.config.local),
                    engine::guarded_llama_servers(io, offload, clock, options.program,
                                                  llama_server_places(options))),
        engines(client, clock, options.config, options.environment, engine_pool, sockets),
        lanes(io.get_executor(), scheduler_options(options.config)),
        keeper(io, clock, router, readers.ledger),
        outcomes(clock, router, keeper, readers.ledger),
        admission(clock, apps, admission_defaults(options.config)),
        observers(readers.ledger),
        learning(outcomes),
        spending(clock, apps, admission, readers.ledger, router),
        retention(io, clock, retention_options(options.config.ledger), prunable(), *writer),
        notify_policy(options.config.outbox.allow),
        outbox_runner(io, clock, random, options.config.outbox, notify_policy, client,
                      readers.outbox),
        clock_watch(io, clock, readers.tasks,
                    [this] {
                      runner->wake();
                      outbox_runner.wake();
                    }),
        access(admission, !is_private(options.config), apps) {
    for (const auto& [model, price] : options.config.prices) prices.set(model, price);
    for (const config::ProviderConfig& provider : options.config.providers) {
      prices.set_batch_price_factor(provider.name, provider.batch_price_factor);
      add_provider(provider_options(provider, options.environment));
    }
  }

  void add_provider(cloud::ProviderOptions provider) {
    providers.push_back(std::make_unique<cloud::Provider>(client, std::move(provider)));
  }

  /// The second half: what needs to know every provider, the simulated one among them.
  void assemble() {
    std::vector<cloud::Provider*> all;
    for (const auto& provider : providers) all.push_back(provider.get());
    selector.emplace(engines, std::move(all));
    engine_backend.emplace(engines);
    provider_backend.emplace(clock, *selector, prices, pool);
    micro_backend.emplace(clock, *ladder, *engine_backend);
    backends.emplace(*micro_backend, *provider_backend);
    planner.emplace(readers.ledger, *backends);
    decider.emplace(router, *backends, spending, *planner, watch_options(options.config),
                    ladder.get());
    gateway.emplace(clock, ids, *decider, lanes, *backends, std::vector<serve::Stage*>{},
                    observers);
    shadow.emplace(io, clock, shadow_options(options.config), *gateway, admission, *backends,
                   readers.ledger, outcomes, ladder.get());
    observers.add(*planner);
    observers.add(spending);
    observers.add(learning);
    observers.add(*ladder);
    observers.add(*shadow);
    judge.emplace(clock, ids, random, task_options(options.config), outcomes, admission, *decider,
                  *backends);
    batches.emplace(
        tasks::BatchTools{.io = io,
                          .clock = clock,
                          .config = options.config.batch,
                          .prices = prices,
                          .tasks = readers.tasks,
                          .batches = readers.batches,
                          .observers = observers,
                          .request_of =
                              [this](const tasks::Task& task) {
                                policy::Request request = judge->request(task, chat::Lane::kCloud);
                                request.origin = chat::Origin::kBatch;
                                return request;
                              },
                          .reserve =
                              [this](const policy::Request& request, const std::string& operation) {
                                chat::Decision decision;
                                decision.lane = chat::Lane::kCloud;
                                decision.operation = operation;
                                return gateway->reserve(request, decision);
                              },
                          .judge =
                              [this](tasks::Task& task, const chat::ChatAnswer& answer) {
                                judge->judge(task, chat::Lane::kCloud, answer);
                              },
                          .all_cloud_cost_usd =
                              [this](const chat::Usage& usage) {
                                const std::string model = provider_backend->default_model();
                                return provider_backend->cost_usd(provider_backend->name_of(model),
                                                                  model, usage);
                              },
                          .let_go = {}},
        ids, *selector, client);
    runner.emplace(io, clock, *judge, *gateway, *batches, lanes, readers.tasks);
    lanes.set_slots(chat::Lane::kLocal, engines.default_slots());
    engines.on_slots([this](int slots) { lanes.set_slots(chat::Lane::kLocal, slots); });
    follow_capacity();
    readers.tasks.on_ended([this](const tasks::Consequences& then) {
      if (then.unblocked) runner->ready_since(then.at);
      if (then.effects) outbox_runner.wake();
    });
    note_local_model();
    reader.emplace(admission, *selector);
    chats.emplace(*gateway, *reader);
    embeddings.emplace(*gateway, *reader);
    openai.emplace(clock, *chats, *embeddings, readers.responses);
    anthropic.emplace(*chats, *gateway, *reader, *backends);
    ollama.emplace(clock, *chats, *embeddings, engines, *selector, client, *reader);
    models_api.emplace(engines, *selector);
    feedback.emplace(clock, outcomes, readers.ledger);
    task_api.emplace(clock, ids, readers.tasks, readers.offload_tasks, readers.offload_ledger,
                     offload, *runner, lanes, *selector, engines, notify_policy, access);
    batch_api.emplace(*batches, readers.offload_batches, offload);
    outbox_api.emplace(clock, readers.outbox, readers.offload_outbox, offload, outbox_runner);
    status_api.emplace(clock, lanes, engines, *selector, readers.offload_ledger, offload);
    providers_api.emplace(clock, options.config, *selector, prices, pool);
    router_api.emplace(clock, *chats, *gateway, router, keeper);
    budget_api.emplace(apps, spending);
    openai->add_to(routes);
    anthropic->add_to(routes);
    ollama->add_to(routes);
    models_api->add_to(routes);
    feedback->add_to(routes);
    providers_api->add_to(routes);
    router_api->add_to(routes);
    budget_api->add_to(routes);
    routes.add("GET", "/openapi.json", {"This document", api::Who::kOwn},
               [this](http::Request&, http::Responder& out,
                      const api::PathParts&) -> asio::awaitable<void> {
                 const boost::json::value document = api::openapi_document(routes);
                 co_await api::send_json(kOk, document, out);
               });
    task_api->add_to(routes);
    batch_api->add_to(routes);
    outbox_api->add_to(routes);
    status_api->add_to(routes);
    ledger_api.emplace(clock, retention, std::move(readers.offload_database), offload);
    ledger_api->add_to(routes);
    distill_api.emplace(clock, *ladder);
    distill_api->add_to(routes);
  }

  /// The cloud lane has as many slots as the providers take at once, and no more than the user
  /// says.
  void follow_capacity() {
    const auto set_slots = [this](int capacity) {
      const int most = options.config.lanes.cloud_slots.value_or(capacity);
      lanes.set_slots(chat::Lane::kCloud, std::min(capacity, most));
    };
    for (const auto& provider : providers) pool.expect(*provider);
    set_slots(pool.capacity());
    pool.on_capacity(set_slots);
  }

  /// A model that the router has not met may do better where others failed.
  void note_local_model() {
    const std::vector<std::string> met = router.models();
    const bool known = std::ranges::find(met, engines.default_model()) != met.end();
    if (!met.empty() && !known) router.expect_change();
  }

  asio::awaitable<void> handle(http::Request& request, http::Responder& out) {
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
  Result<> admit(http::Request& request, const api::Routes::Match& match) {
    Result<> may = http::check_origin(request, options.config.origins);
    if (may) may = http::check_given_once(request.headers, "x-minimill-");
    if (!may) return may;
    return access.may_use(request,
                          match.entry != nullptr ? match.entry->about.who : api::Who::kOwn);
  }

  static Error no_route(const http::Request& request, const std::string& allowed) {
    Error error;
    error.code = allowed.empty() ? ErrorCode::kNotFound : ErrorCode::kUnsupported;
    error.message =
        fmt::format("nothing answers {} {}", request.method, protocol::valid_utf8(request.path));
    error.hint = allowed.empty() ? "GET /openapi.json says what is served"
                                 : fmt::format("this path takes {}", allowed);
    return error;
  }

  static constexpr int kOk = 200;
  static constexpr int kUnauthorized = 401;
  static constexpr int kNotFound = 404;
  static constexpr int kMethodNotAllowed = 405;

  asio::io_context& io;
  SystemClock system_clock;
  EvenClock clock{system_clock};
  DaemonOptions options;
  config::DataFolder folder;
  std::unique_ptr<sqlite::Writer> writer;
  Readers readers;
  policy::AppStore apps;
  std::filesystem::path sockets;
  async::BlockingPool offload;
  route::Router router;
  SystemRandom random;
  IdSource ids;
  http::Client client;
  cloud::PriceTable prices;
  cloud::Pool pool;
  engine::EnginePool engine_pool;
  serve::Engines engines;
  lane::Lanes lanes;
  learn::RouterKeeper keeper;
  learn::Outcomes outcomes;
  policy::Admission admission;
  serve::Observers observers;
  serve::Learning learning;
  serve::Spending spending;
  std::unique_ptr<simcloud::SimCloud> sim_cloud;
  std::vector<std::unique_ptr<cloud::Provider>> providers;
  std::optional<serve::ModelSelector> selector;
  std::unique_ptr<distill::Ladder> ladder;
  std::optional<serve::EngineBackend> engine_backend;
  std::optional<distill::MicroBackend> micro_backend;
  std::optional<serve::ProviderBackend> provider_backend;
  std::optional<serve::Backends> backends;
  std::optional<serve::JobPlanner> planner;
  std::optional<serve::Decider> decider;
  std::optional<serve::Gateway> gateway;
  std::optional<serve::Shadow> shadow;
  std::optional<tasks::TaskJudge> judge;
  std::optional<tasks::BatchRunner> batches;
  std::optional<tasks::TaskRunner> runner;
  ledger::RetentionRunner retention;
  policy::NotifyPolicy notify_policy;
  tasks::OutboxRunner outbox_runner;
  tasks::ClockWatch clock_watch;
  api::Access access;
  std::optional<api::RequestReader> reader;
  std::optional<api::ChatApi> chats;
  std::optional<api::EmbeddingService> embeddings;
  std::optional<api::OpenAiApi> openai;
  std::optional<api::AnthropicApi> anthropic;
  std::optional<api::OllamaApi> ollama;
  std::optional<api::ModelsApi> models_api;
  std::optional<api::FeedbackApi> feedback;
  std::optional<api::ProvidersApi> providers_api;
  std::optional<api::RouterApi> router_api;
  std::optional<api::BudgetApi> budget_api;
  std::optional<api::TaskApi> task_api;
  std::optional<api::BatchApi> batch_api;
  std::optional<api::OutboxApi> outbox_api;
  std::optional<api::StatusApi> status_api;
  std::optional<api::LedgerApi> ledger_api;
  std::optional<DistillApi> distill_api;
  api::Routes routes;
  std::unique_ptr<http::Server> server;
  bool carrying_out = false;
};

Daemon::Daemon(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
Daemon::~Daemon() = default;

Result<std::unique_ptr<Daemon>> Daemon::create(asio::io_context& io, DaemonOptions options) {
  Result<config::DataFolder> folder = config::DataFolder::hold(options.config.data_dir);
  if (!folder) return std::unexpected(std::move(folder.error()));
  Result<policy::AppStore> apps = policy::AppStore::open(config::apps_file(folder->path()));
  if (!apps) return std::unexpected(std::move(apps.error()));
  for (const std::string& address : options.config.listen) {
    if (Result<> good = check_address(address, apps->has_keys()); !good) {
      return std::unexpected(good.error());
    }
  }
  Result<std::filesystem::path> sockets = folder->socket_dir();
  if (!sockets) return std::unexpected(std::move(sockets.error()));
  Result<std::unique_ptr<sqlite::Writer>> writer = open_writer(folder->database());
  if (!writer) return std::unexpected(std::move(writer.error()));
  Result<Readers> readers = Readers::open(*folder, process_clock(), **writer);
  if (!readers) return std::unexpected(std::move(readers.error()));
  const route::RouterOptions router_options{
      .threshold = options.config.router.threshold,
      .threshold_checked = options.config.router.threshold_checked,
      .bounds = options.config.router.bounds};
  Result<route::Router> router = learn::load_router(readers->ledger, router_options);
  if (!router) return std::unexpected(std::move(router.error()));
  return std::unique_ptr<Daemon>(new Daemon(std::make_unique<Parts>(
      io, std::move(options), std::move(*folder), std::move(*writer), std::move(*readers),
      std::move(*apps), std::move(*router), std::move(*sockets))));
}

asio::awaitable<Result<std::vector<std::string>>> Daemon::start() {
  Parts& parts = *parts_;
  const config::SimCloudConfig& sim = parts.options.config.sim_cloud;
  if (sim.enabled) {
    simcloud::SimCloudOptions options;
    options.first_token = std::chrono::milliseconds{sim.first_token_ms};
    options.tokens_per_second = sim.tokens_per_second;
    options.p_correct = sim.p_correct;
    if (!sim.gold.empty()) {
      Result<std::vector<simcloud::GoldAnswer>> gold = simcloud::read_gold(sim.gold);
      if (!gold) co_return std::unexpected(std::move(gold.error()));
      options.gold = std::move(*gold);
    }
    parts.sim_cloud = std::make_unique<simcloud::SimCloud>(parts.io, std::move(options));
    Result<std::string> url = parts.sim_cloud->start();
    if (!url) co_return std::unexpected(std::move(url.error()));
    parts.prices.set_batch_price_factor(std::string(kSimCloud), kSimBatchPriceFactor);
    parts.add_provider(sim_provider_options(*url));
  }
  Result<std::unique_ptr<distill::Ladder>> ladder =
      distill::Ladder::open(parts.io, parts.clock, parts.folder.path());
  if (!ladder) co_return std::unexpected(std::move(ladder.error()));
  parts.ladder = std::move(*ladder);
  parts.assemble();

  http::ServerOptions server_options;
  // Where a key is always needed, a page of the web that guesses our address gains nothing.
  server_options.check_host = is_private(parts.options.config);
  http::Handler handler = [&parts](http::Request& request, http::Responder& out) {
    return parts.handle(request, out);
  };
  http::ErrorBody error_body = [](int status, std::string_view message, std::string_view path) {
    Error error;
    error.code = status == 413 ? ErrorCode::kTooLarge : ErrorCode::kInvalidArgument;
    error.message = message;
    return api::write_error_for(path, error);
  };
  parts.server = std::make_unique<http::Server>(parts.io, std::move(server_options),
                                                std::move(handler), std::move(error_body));
  std::vector<std::string> addresses;
  for (const std::string& wanted : parts.options.config.listen) {
    Result<std::string> address = parts.server->listen(wanted);
    if (!address) co_return std::unexpected(std::move(address.error()));
    addresses.push_back(std::move(*address));
  }
  const std::string own = "unix:" + (parts.sockets / "minimill.sock").string();
  Result<std::string> socket = parts.server->listen(own);
  if (!socket) co_return std::unexpected(std::move(socket.error()));
  // The command line takes the first: it needs no key there.
  std::vector<std::string> announced_at{*socket};
  announced_at.insert(announced_at.end(), addresses.begin(), addresses.end());
  addresses.push_back(std::move(*socket));
  Result<> announced = parts.folder.announce(announced_at);
  if (!announced) co_return std::unexpected(std::move(announced.error()));
  if (parts.options.carry_out_tasks) {
    parts.batches->start();
    parts.runner->start();
    parts.keeper.start();
    parts.outbox_runner.start();
    parts.clock_watch.start();
    parts.retention.start();
    parts.carrying_out = true;
  }
  co_return addresses;
}

asio::awaitable<void> Daemon::stop(std::chrono::milliseconds grace) {
  Parts& parts = *parts_;
  parts.lanes.turn_away();
  if (parts.server) co_await parts.server->stop(grace);
  if (parts.shadow) co_await parts.shadow->stop();
  if (parts.carrying_out) {
    co_await parts.clock_watch.stop();
    co_await parts.retention.stop();
    co_await parts.runner->stop();
    co_await parts.batches->stop();
    co_await parts.outbox_runner.drain(std::min(grace, kOutboxGrace));
    co_await parts.outbox_runner.stop();
  }
  if (parts.ladder) co_await parts.ladder->stop();
  co_await parts.keeper.stop();
  co_await parts.pool.stop();
  co_await parts.engines.stop();
  if (parts.sim_cloud) co_await parts.sim_cloud->stop();
  parts.writer->flush();
}

}  // namespace minimill::daemon
