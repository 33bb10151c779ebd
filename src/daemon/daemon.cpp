#include "daemon/daemon.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "daemon/parts.h"
#include "daemon/room_options.h"
#include "daemon/stores.h"

namespace minimill::daemon {
namespace {

constexpr std::chrono::milliseconds kOutboxGrace{5'000};

/// Nothing where it is not asked for.
Result<SimProvider> start_sim_cloud(asio::io_context& io, const config::SimCloudConfig& config) {
  SimProvider sim;
  if (!config.enabled) return sim;
  Result<simcloud::SimCloudOptions> options = sim_cloud_options(config);
  if (!options) return std::unexpected(std::move(options.error()));
  sim.cloud = std::make_unique<simcloud::SimCloud>(io, std::move(*options));
  Result<std::string> url = sim.cloud->start();
  if (!url) return std::unexpected(std::move(url.error()));
  sim.url = std::move(*url);
  return sim;
}

}  // namespace

Daemon::Daemon(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
Daemon::~Daemon() = default;

Result<std::unique_ptr<Daemon>> Daemon::create(asio::io_context& io, DaemonOptions options) {
  Result<Stores> stores = Stores::open(options);
  if (!stores) return std::unexpected(std::move(stores.error()));
  Result<route::Router> router =
      learn::load_router(stores->readers.ledger, router_options(options.config.router));
  if (!router) return std::unexpected(std::move(router.error()));
  Result<std::unique_ptr<distill::Ladder>> ladder =
      distill::Ladder::open(io, stores->clocks->even, stores->folder.path());
  if (!ladder) return std::unexpected(std::move(ladder.error()));
  Result<SimProvider> sim = start_sim_cloud(io, options.config.sim_cloud);
  if (!sim) return std::unexpected(std::move(sim.error()));
  return std::unique_ptr<Daemon>(
      new Daemon(std::make_unique<Parts>(io, std::move(options), std::move(*stores),
                                         std::move(*router), std::move(*ladder), std::move(*sim))));
}

asio::awaitable<Result<std::vector<std::string>>> Daemon::start() {
  Parts& parts = *parts_;
  std::vector<std::string> addresses;
  for (const std::string& wanted : parts.options.config.listen) {
    Result<std::string> address = parts.server.listen(wanted);
    if (!address) co_return std::unexpected(std::move(address.error()));
    addresses.push_back(std::move(*address));
  }
  const std::string own = "unix:" + (parts.stores.sockets / "minimill.sock").string();
  Result<std::string> socket = parts.server.listen(own);
  if (!socket) co_return std::unexpected(std::move(socket.error()));
  // The command line takes the first: it needs no key there.
  std::vector<std::string> announced_at{*socket};
  announced_at.insert(announced_at.end(), addresses.begin(), addresses.end());
  addresses.push_back(std::move(*socket));
  Result<> announced = parts.stores.folder.announce(announced_at);
  if (!announced) co_return std::unexpected(std::move(announced.error()));
  if (parts.options.carry_out_tasks) {
    parts.batches.start();
    parts.runner.start();
    parts.keeper.start();
    parts.outbox_runner.start();
    parts.clock_watch.start();
    parts.retention.start();
    carrying_out_ = true;
  }
  co_return addresses;
}

asio::awaitable<void> Daemon::stop(std::chrono::milliseconds grace) {
  Parts& parts = *parts_;
  parts.lanes.turn_away();
  parts.mill_floor.close();
  co_await parts.server.stop(grace);
  co_await parts.shadow.stop();
  if (carrying_out_) {
    co_await parts.clock_watch.stop();
    co_await parts.retention.stop();
    co_await parts.runner.stop();
    co_await parts.batches.stop();
    co_await parts.outbox_runner.drain(std::min(grace, kOutboxGrace));
    co_await parts.outbox_runner.stop();
  }
  co_await parts.ladder->stop();
  co_await parts.keeper.stop();
  co_await parts.pool.stop();
  co_await parts.engines.stop();
  if (parts.sim_cloud) co_await parts.sim_cloud->stop();
  parts.stores.writer->flush();
}

}  // namespace minimill::daemon
