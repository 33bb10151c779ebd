#pragma once

// The configuration: one TOML file, every key optional, every key checked. docs/configuration.md
// describes each; `minimill config show` prints what is in force.

#include <chrono>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "chat/chat_request.h"
#include "chat/destination.h"
#include "cloud/catalogue.h"
#include "cloud/choice.h"
#include "policy/privacy.h"
#include "route/router.h"

namespace minimill::config {

struct LocalConfig {
  std::string model = "smollm2:135m";   // a pulled model's name or a path to a GGUF
  std::filesystem::path llama_server;   // empty: found by itself
  int slots = 2;                        // requests answered at once, per model
  int context_tokens = 4096;            // per slot
  int threads = 0;                      // 0: llama-server's choice
  int max_answer_tokens = 256;          // of a task's answer: beyond it a small model rambles
  int idle_stop_s = 600;                // 0: never
  int max_engines = 4;                  // llama-servers at once
  std::uint64_t memory = 0;             // bytes for all of them; 0: by what is free at the start
  std::vector<std::string> extra_args;  // handed to llama-server as they are
};

/// A server that already runs, used as a local engine.
struct EngineConfig {
  std::string name;
  std::string base_url;
  std::string model;
  std::string key_env;
  int context_tokens = 0;
  int slots = 0;         // requests it answers at once; 0: local.slots
  bool trusted = false;  // another machine, and its owner's own
  chat::Destination destination = chat::Destination::kDevice;
};

struct ProviderConfig {
  std::string name;
  chat::Protocol protocol = chat::Protocol::kOpenAi;
  std::string base_url;
  std::string key_env;
  std::string key_header;             // empty: the protocol's own
  std::vector<std::string> models;    // the first is used for "cloud" and "auto"
  bool batch_api = false;             // batches may be sent there
  double batch_price_factor = 1;      // what a batch costs, as a share of the price
  std::optional<int> max_concurrent;  // requests at once; nullopt: as many as it takes
};

/// How a provider is chosen among those that can serve a request.
struct CloudConfig {
  std::string prefer = "balanced";  // fast, cheap, steady or balanced
  cloud::Preference weights;        // what that means; [cloud.weights] sets them one by one
  double hedge_budget = 0.05;       // share of requests that may be sent twice; 0: none
  double quality_margin = cloud::kQualityMargin;
};

struct LanesConfig {
  std::optional<int> cloud_slots;     // nullopt: as many as the providers take
  int cloud_tasks = 4;                // of them for background tasks
  int max_queued = 1024;              // of apps' requests, per lane
  double waiting_usd_per_h = 0.2;     // what an hour of a task's waiting may cost
  double app_waiting_usd_per_h = 10;  // and of an app's
  double running_share = 0.2;         // what an hour of running costs, as a share of that
  bool accept_degraded = true;        // of requests that say nothing
  bool first_come = false;            // order = "first-come": to compare with
  bool balance = true;                // jobs may change lanes
};

struct RouterConfig {
  double threshold = 0.6;
  double threshold_checked = 0.4;  // of tasks with a check
  std::vector<route::QualityBound> bounds;
};

/// A share of requests is answered by both lanes, and compared.
struct ShadowConfig {
  double share = 0;
  double usd_per_day = 0.1;
  std::string judge;  // a cloud model; empty: compared by words
};

/// A local answer's first tokens are held back and watched, where the cloud may answer instead.
struct WatchConfig {
  bool enabled = true;
  int tokens = 24;  // at most so many
  int ms = 1'500;   // at most so long, from the first of them
};

struct TasksConfig {
  int max_attempts = 5;
  int lease_s = 300;
  int max_tokens = 512;  // of a task's answer
};

/// Tasks that can wait go through a provider's batch API, at a discount.
struct BatchConfig {
  bool enabled = true;
  std::vector<std::string> providers;  // empty: whoever has batch_api
  int min_wait_s = 3'600;              // a task must be able to wait so long
  int gather_s = 60;                   // for more tasks, before a batch is sent
  int max_tasks = 500;                 // of a batch
  int poll_s = 300;                    // between looks at a batch, at most
  int reserve_s = 900;                 // of a task's wait, left for doing it elsewhere after all
};

/// How long the database keeps what grows with use.
struct LedgerConfig {
  double keep_s = 90.0 * 86'400;           // 0: for ever
  std::int64_t max_bytes = 2'000'000'000;  // 0: no bound
};

struct OutboxConfig {
  std::vector<std::string> allow;  // URLs under which tasks may notify somebody; none by default
  int max_attempts = 20;
};

struct SimCloudConfig {
  bool enabled = false;
  int first_token_ms = 600;
  double tokens_per_second = 80;
  double p_correct = 0.95;
  std::string gold;  // a tasks file it may answer right from
};

struct Config {
  std::vector<std::string> listen{"127.0.0.1:4177"};
  std::vector<std::string> origins;  // web pages that may use it, "https://app.example"
  std::filesystem::path data_dir;    // ${XDG_DATA_HOME:-~/.local/share}/minimill
  std::string log_level = "info";
  policy::Privacy privacy = policy::Privacy::kAllow;  // of requests that say nothing
  LocalConfig local;
  std::vector<EngineConfig> engines;
  cloud::Catalogue catalogue = cloud::Catalogue::built_in();  // with providers.toml on top
  std::vector<ProviderConfig> providers;
  CloudConfig cloud;
  std::map<std::string, cloud::Price> prices;
  LanesConfig lanes;
  RouterConfig router;
  WatchConfig watch;
  ShadowConfig shadow;
  TasksConfig tasks;
  BatchConfig batch;
  OutboxConfig outbox;
  LedgerConfig ledger;
  SimCloudConfig sim_cloud;
};

/// What the environment says; read once, at the edge.
struct Environment {
  std::string home;
  std::string xdg_config_home;
  std::string xdg_data_home;
  std::string xdg_runtime_dir;
  std::map<std::string, std::string, std::less<>> variables;

  static Environment read();
  std::string_view get(std::string_view name) const;
  std::filesystem::path config_dir() const;
  std::filesystem::path data_dir() const;
};

/// Where the configuration is looked for when no path is given.
std::filesystem::path default_config_path(const Environment& environment);

/// The user's additions to the catalogue of providers; need not exist.
std::filesystem::path default_catalogue_path(const Environment& environment);

/// `source` names the text in errors: "config.toml:12: unknown key 'local.modell' (did you mean
/// 'model'?)".
Result<Config> parse_config(std::string_view toml, std::string_view source,
                            const Environment& environment,
                            const cloud::Catalogue& catalogue = cloud::Catalogue::built_in());

/// With the user's catalogue of providers, where there is one. `path` empty: the default one, which
/// need not exist; a path that was given must.
Result<Config> load_config(const std::filesystem::path& path, const Environment& environment);

/// As TOML that parse_config reads back; keys of providers are only named, never shown.
std::string to_toml(const Config& config);

}  // namespace minimill::config
