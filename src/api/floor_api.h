#pragma once

// The mill floor, live and in figures, for the page, `minimill top` and `minimill report`.
//
//   GET /minimill/v1/floor       who waits and who runs in each lane; engines, machine
//   GET /minimill/v1/events      the same as it changes, as server-sent events: "floor", and
//                                "ended" with each request that ended; Last-Event-ID is resumed
//                                from, "gap" says that some were missed
//   GET /minimill/v1/overview    ?days=30; the aggregate of a span of days (api/overview.h)
//   GET /minimill/v1/requests    ?app= &operation= &origin= &lane= &failed=1 &q= &after= &limit=;
//                                a page of the ledger, newest first

#include <memory>
#include <string>

#include "api/routes.h"
#include "async/blocking_pool.h"
#include "floor/floor.h"
#include "lane/lanes.h"
#include "ledger/ledger.h"
#include "route/router.h"
#include "serve/engines.h"

namespace minimill::api {

class FloorApi {
 public:
  static constexpr int kMostWatching = 64;
  static constexpr Millis kPace{50};         // between two of a watcher's news
  static constexpr Millis kLanesEvery{250};  // the lanes tell nobody, and are looked at
  static constexpr Millis kHeartbeat{15'000};
  static constexpr std::int64_t kMostDays = 3'660;

  /// `ledger` is a reader of its own, used only on the offload thread.
  FloorApi(const Clock& clock, floor::Floor& floor, const lane::Lanes& lanes,
           const serve::Engines& engines, const route::Router& router, ledger::Ledger& ledger,
           async::BlockingPool& offload);

  void add_to(Routes& routes);

 private:
  asio::awaitable<void> show(http::Responder& out);
  asio::awaitable<void> events(http::Request& request, http::Responder& out);
  asio::awaitable<void> overview(http::Request& request, http::Responder& out);
  asio::awaitable<void> requests(http::Request& request, http::Responder& out);

  boost::json::object floor_json() const;
  boost::json::object lane_json(chat::Lane lane) const;
  boost::json::object under_way_json(const floor::UnderWay& under_way) const;
  /// The "floor" event as it is now; made once for all who watch.
  std::shared_ptr<const std::string> frame();
  /// What of the lanes makes another frame.
  std::string lanes_signature() const;
  /// The ended requests behind `after`, as events; moves it on.
  std::string ended_events(std::uint64_t& after) const;

  const Clock& clock_;
  floor::Floor& floor_;
  const lane::Lanes& lanes_;
  const serve::Engines& engines_;
  const route::Router& router_;
  ledger::Ledger& ledger_;
  async::BlockingPool& offload_;
  std::string boot_;  // tells the numbers of this daemon's events from another's
  std::shared_ptr<const std::string> frame_;
  std::uint64_t frame_version_ = 0;
  std::string frame_lanes_;
  int watching_ = 0;
};

}  // namespace minimill::api
