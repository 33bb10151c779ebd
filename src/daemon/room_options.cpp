#include "daemon/room_options.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "models/memory.h"

namespace minimill::daemon {

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
                                        const config::Environment& environment,
                                        const cloud::Catalogue& catalogue) {
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
  options.rules = catalogue.rules();
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

route::RouterOptions router_options(const config::RouterConfig& config) {
  return {.threshold = config.threshold,
          .threshold_checked = config.threshold_checked,
          .bounds = config.bounds};
}

ledger::RetentionOptions retention_options(const config::LedgerConfig& config) {
  return {.keep = std::chrono::seconds{static_cast<std::int64_t>(config.keep_s)},
          .max_bytes = config.max_bytes};
}

Result<simcloud::SimCloudOptions> sim_cloud_options(const config::SimCloudConfig& config) {
  simcloud::SimCloudOptions options;
  options.first_token = std::chrono::milliseconds{config.first_token_ms};
  options.tokens_per_second = config.tokens_per_second;
  options.p_correct = config.p_correct;
  if (!config.gold.empty()) {
    Result<std::vector<simcloud::GoldAnswer>> gold = simcloud::read_gold(config.gold);
    if (!gold) return std::unexpected(std::move(gold.error()));
    options.gold = std::move(*gold);
  }
  return options;
}

lane::SchedulerOptions scheduler_options(const config::Config& config) {
  lane::SchedulerOptions options;
  // The cloud's real number is found out while it runs (Parts).
  options.slots = {config.local.slots, config.lanes.cloud_slots.value_or(config.lanes.cloud_tasks)};
  options.most_background = {lane::SchedulerOptions::kNoBound, config.lanes.cloud_tasks};
  options.max_interactive = static_cast<std::size_t>(config.lanes.max_queued);
  options.usd_per_h = {config.lanes.app_waiting_usd_per_h, config.lanes.waiting_usd_per_h};
  options.running_share = config.lanes.running_share;
  options.balance = config.lanes.balance;
  if (config.lanes.first_come) options.order = lane::SchedulerOptions::Order::kFirstCome;
  return options;
}

}  // namespace minimill::daemon
