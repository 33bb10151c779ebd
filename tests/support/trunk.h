#pragma once

// The way of a request, whole, on two fake backends, a clock that stands still and a folder of its
// own: what tests of the gateway and of everything on top of it begin with.
//
//   Trunk trunk;
//   trunk.device.fails(ErrorCode::kInvalidArgument);
//   Result<serve::Served> served = trunk.complete(trunk.easy());
//   EXPECT_EQ(trunk.records().front().attempts.size(), 2U);

#include <algorithm>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/random.h"
#include "ledger/ledger.h"
#include "policy/admission.h"
#include "serve/gateway.h"
#include "serve/spending.h"
#include "support/event_loop.h"
#include "support/fake_backend.h"
#include "support/temp_dir.h"

namespace minimill::test {

struct TrunkOptions {
  policy::AdmissionDefaults defaults;
  lane::SchedulerOptions lanes;
  std::vector<Result<> (*)(sqlite::Database&)> migrations;  // beside the ledger's
};

class Trunk {
 public:
  explicit Trunk(const TrunkOptions& options = {})
      : writer(open_writer(path(), options.migrations)),
        admission(clock, apps, options.defaults),
        lanes(loop.io().get_executor(), options.lanes) {
    observers.add(planner);
    observers.add(spending);
  }

  /// With the stages there are when it is first asked for.
  serve::Gateway& gateway() {
    if (!gateway_) {
      gateway_.emplace(clock, ids, decider, lanes, backends, stages, observers);
    }
    return *gateway_;
  }

  /// An app's request that says nothing of a lane: left open, and hard or easy by how good an
  /// answer it asks for.
  policy::Request request(double quality, std::string text = "Is it so?") {
    chat::RequestParts parts;
    parts.model = "auto";
    parts.messages.push_back(chat::text_message(chat::Role::kUser, std::move(text)));
    policy::Request made =
        admission.own("app", chat::Origin::kApp, chat::ChatRequest(std::move(parts)),
                      admission.privacy_of("app"));
    made.choice.quality = quality;
    return made;
  }
  policy::Request easy() { return request(0); }  // belongs to the device
  policy::Request hard() { return request(1); }  // belongs to the cloud
  policy::Request in_lane(chat::Lane lane) {
    policy::Request made = request(0);
    made.choice = {.lane = lane, .model = {}, .quality = {}};
    return made;
  }
  /// Good enough before its answer begins, and not after a bad beginning.
  policy::Request doubtful() {
    policy::Request made = easy();
    made.choice.quality = gateway().decide(made)->p_local_ok - 0.001;
    return made;
  }

  Result<serve::Served> complete(policy::Request asked) {
    return loop.run(gateway().complete(std::move(asked)));
  }
  Result<serve::ServedStream> stream(policy::Request asked) {
    return loop.run(gateway().stream(std::move(asked)));
  }
  /// The rest of a stream's text; how it broke off, where it did.
  static asio::awaitable<Result<std::string>> text_of(chat::ChatStream& stream) {
    std::string text;
    while (true) {
      Result<std::optional<chat::ChatEvent>> event = co_await stream.next();
      if (!event) co_return std::unexpected(std::move(event.error()));
      if (!*event) co_return text;
      if (const auto* delta = std::get_if<chat::TextDelta>(&**event)) text += delta->text;
    }
  }
  Result<std::string> read(serve::ServedStream& served) {
    return loop.run(text_of(*served.stream));
  }

  /// Every row of the ledger, oldest first.
  std::vector<ledger::RequestRecord> records() {
    writer->flush();
    std::vector<ledger::RequestRecord> all = ledger.recent(1000).value();
    std::ranges::reverse(all);
    return all;
  }
  std::filesystem::path path() const { return folder / "t.db"; }
  double spent_usd() { return spending.budgets().spent(policy::BudgetScope::kAll, "").day_usd; }

  EventLoop loop;
  TempDir folder;
  ManualClock clock;
  SeededRandom random{1};
  IdSource ids{clock, random};
  std::unique_ptr<sqlite::Writer> writer;
  ledger::Ledger ledger = ledger::Ledger::open(path(), *writer).value();
  policy::AppStore apps = policy::AppStore::open(folder / "apps.db").value();
  policy::Admission admission;
  route::Router router;
  FakeBackend device{loop.io(), chat::Destination::kDevice, "small"};
  FakeBackend cloud{loop.io(), chat::Destination::kCloud, "large"};
  serve::Backends backends{device, cloud};
  serve::Spending spending{clock, apps, admission, ledger, router};
  serve::JobPlanner planner{ledger, backends};
  serve::Decider decider{router, backends, spending, planner, {}, nullptr};
  lane::Lanes lanes;
  serve::Observers observers{ledger};
  std::vector<serve::Stage*> stages;

 private:
  static std::unique_ptr<sqlite::Writer> open_writer(
      const std::filesystem::path& path,
      const std::vector<Result<> (*)(sqlite::Database&)>& migrations) {
    auto db = sqlite::Database::open(path, sqlite::Database::Mode::kReadWrite).value();
    ledger::migrate_ledger(db).value();
    for (const auto migrate : migrations) migrate(db).value();
    return std::make_unique<sqlite::Writer>(std::move(db));
  }

  std::optional<serve::Gateway> gateway_;
};

}  // namespace minimill::test
