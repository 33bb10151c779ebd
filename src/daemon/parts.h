#pragma once

// What minimill is made of, in the order in which it is built: a part may refer to those above it,
// and to none below. What is told of things later (slots, ended tasks, capacity) is registered once
// all is there.

#include <memory>
#include <vector>

#include "api/access.h"
#include "api/anthropic_api.h"
#include "api/batch_api.h"
#include "api/budget_api.h"
#include "api/chat_api.h"
#include "api/decisions_api.h"
#include "api/embedding_service.h"
#include "api/feedback_api.h"
#include "api/floor_api.h"
#include "api/ledger_api.h"
#include "api/models_api.h"
#include "api/ollama_api.h"
#include "api/openai_api.h"
#include "api/outbox_api.h"
#include "api/page_api.h"
#include "api/providers_api.h"
#include "api/request_reader.h"
#include "api/router_api.h"
#include "api/routes.h"
#include "api/sessions.h"
#include "api/status_api.h"
#include "api/task_api.h"
#include "async/blocking_pool.h"
#include "base/random.h"
#include "cloud/pool.h"
#include "daemon/daemon.h"
#include "daemon/distill_api.h"
#include "daemon/stores.h"
#include "distill/ladder.h"
#include "distill/micro_backend.h"
#include "engine/engine_pool.h"
#include "floor/floor.h"
#include "learn/outcomes.h"
#include "learn/router_keeper.h"
#include "ledger/retention_runner.h"
#include "serve/decider.h"
#include "serve/engine_backend.h"
#include "serve/engines.h"
#include "serve/gateway.h"
#include "serve/job_planner.h"
#include "serve/learning.h"
#include "serve/model_selector.h"
#include "serve/plain_question.h"
#include "serve/provider_backend.h"
#include "serve/shadow.h"
#include "serve/spending.h"
#include "simcloud/sim_cloud.h"
#include "tasks/answer_executor.h"
#include "tasks/batch_runner.h"
#include "tasks/clock_watch.h"
#include "tasks/outbox_runner.h"
#include "tasks/task_judge.h"
#include "tasks/task_runner.h"

namespace minimill::daemon {

/// The simulated provider, listening.
struct SimProvider {
  std::unique_ptr<simcloud::SimCloud> cloud;
  std::string url;
};

struct Parts {
  /// `sim`: none where it is not asked for.
  Parts(asio::io_context& loop, DaemonOptions given, Stores opened, route::Router learnt,
        std::unique_ptr<distill::Ladder> the_ladder, SimProvider sim);
  Parts(const Parts&) = delete;
  Parts& operator=(const Parts&) = delete;

  /// Answers one request, or says why not.
  asio::awaitable<void> handle(http::Request& request, http::Responder& out);

  asio::io_context& io;
  DaemonOptions options;
  Stores stores;
  EvenClock& clock;
  SystemRandom system_random;
  Random& random;
  async::BlockingPool offload;  // queries
  async::BlockingPool parsing;  // big bodies
  route::Router router;
  IdSource ids;
  http::Client client;

  // Who answers.
  std::unique_ptr<simcloud::SimCloud> sim_cloud;
  cloud::PriceTable prices;
  cloud::Pool pool;
  std::vector<std::unique_ptr<cloud::Provider>> providers;
  engine::EnginePool engine_pool;
  serve::Engines engines;
  serve::ModelSelector selector;
  std::unique_ptr<distill::Ladder> ladder;
  serve::EngineBackend engine_backend;
  distill::MicroBackend micro_backend;
  serve::ProviderBackend provider_backend;
  serve::Backends backends;

  // Who may, who knows, and the way.
  policy::Admission admission;
  learn::RouterKeeper keeper;
  learn::Outcomes outcomes;
  serve::Observers observers;
  serve::JobPlanner planner;
  serve::Spending spending;
  serve::Learning learning;
  lane::Lanes lanes;
  serve::Decider decider;
  serve::PlainQuestion plain_question;
  serve::Gateway gateway;
  serve::Shadow shadow;
  floor::Floor mill_floor;

  // What is durable.
  policy::NotifyPolicy notify_policy;
  tasks::OutboxRunner outbox_runner;
  tasks::TaskJudge judge;
  tasks::BatchRunner batches;
  tasks::AnswerExecutor answers;
  tasks::TaskRunner runner;
  tasks::ClockWatch clock_watch;
  ledger::RetentionRunner retention;

  // The doors.
  api::Sessions sessions;
  api::Access access;
  api::RequestReader reader;
  api::ChatApi chats;
  api::EmbeddingService embeddings;
  api::OpenAiApi openai;
  api::DecisionsApi decisions;
  api::AnthropicApi anthropic;
  api::OllamaApi ollama;
  api::ModelsApi models_api;
  api::FeedbackApi feedback;
  api::ProvidersApi providers_api;
  api::RouterApi router_api;
  api::BudgetApi budget_api;
  api::TaskApi task_api;
  api::BatchApi batch_api;
  api::OutboxApi outbox_api;
  api::StatusApi status_api;
  api::LedgerApi ledger_api;
  DistillApi distill_api;
  api::FloorApi floor_api;
  api::PageApi page_api;
  api::Routes routes;
  http::Server server;

 private:
  std::vector<std::unique_ptr<cloud::Provider>> make_providers(const SimProvider& sim);
  std::vector<cloud::Provider*> all_providers() const;
  tasks::BatchTools batch_tools();
  void register_listeners();
  /// The cloud lane has as many slots as the providers take at once, and no more than the user
  /// says.
  void follow_capacity();
  /// A model that the router has not met may do better where others failed.
  void note_local_model();
  void add_routes();
  /// Whether anything is done for this request at all; for those let in only, what is not served.
  Result<> admit(http::Request& request, const api::Routes::Match& match);
};

}  // namespace minimill::daemon
