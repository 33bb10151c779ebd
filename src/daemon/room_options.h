#pragma once

// What each room is told of the configuration: rooms take Options of their own, and know nothing of
// the file.

#include <string_view>

#include "base/error.h"
#include "cloud/pool.h"
#include "config/config.h"
#include "daemon/daemon.h"
#include "engine/engine_pool.h"
#include "engine/llama_server_search.h"
#include "lane/scheduler.h"
#include "ledger/retention_runner.h"
#include "policy/admission.h"
#include "route/router.h"
#include "serve/decider.h"
#include "serve/shadow.h"
#include "simcloud/sim_cloud.h"
#include "tasks/task_judge.h"

namespace minimill::daemon {

/// kInvalidArgument for an address that others than this machine can reach, unless apps need keys.
Result<> check_address(std::string_view address, bool has_keys);
/// Only this machine can reach us.
bool is_private(const config::Config& config);

engine::ResidencyLimits residency_limits(const config::LocalConfig& local);
engine::LlamaServerPlaces llama_server_places(const DaemonOptions& options);
cloud::ProviderOptions provider_options(const config::ProviderConfig& config,
                                        const config::Environment& environment,
                                        const cloud::Catalogue& catalogue);
cloud::PoolOptions pool_options(const config::Config& config);
serve::WatchOptions watch_options(const config::Config& config);
serve::ShadowOptions shadow_options(const config::Config& config);
policy::AdmissionDefaults admission_defaults(const config::Config& config);
tasks::TaskOptions task_options(const config::Config& config);
route::RouterOptions router_options(const config::RouterConfig& config);
ledger::RetentionOptions retention_options(const config::LedgerConfig& config);
/// The file of gold answers is read here.
Result<simcloud::SimCloudOptions> sim_cloud_options(const config::SimCloudConfig& config);

}  // namespace minimill::daemon
