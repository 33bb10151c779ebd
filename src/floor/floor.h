#pragma once

// The mill floor as it is now: every request under way with its phase, and the last ones that
// ended, numbered so that whoever looks on misses none. Who waits in the lanes is the lanes' to
// tell. Whatever is watched live, by the page or in a terminal, is this.
//
//   while (open) { co_await floor.changed().wait_for(250ms); show(floor.under_way()); }
//
// Bounded: kMostKept ended requests; those under way are as many as the lanes run.
// Event-loop thread only.

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>

#include "async/broadcast.h"
#include "base/clock.h"
#include "serve/observer.h"

namespace minimill::floor {

struct UnderWay {
  RequestId id;
  std::string app;
  TaskId task;
  RunId run;
  std::string title;  // of a task
  chat::Origin origin = chat::Origin::kApp;
  std::string operation;
  std::string model;
  std::string backend;
  chat::Lane lane = chat::Lane::kLocal;
  double p_local_ok = 0;
  bool stream = false;
  WallTime decided{};
  std::optional<WallTime> began;  // has its turn; an app's request waits until then
  std::optional<WallTime> first_token;
  std::int64_t tokens = 0;  // pieces of a streamed answer so far
  WallTime last_token{};
  int attempt = 0;
};

struct Ended {
  std::uint64_t number = 0;  // 1, 2, 3, …
  ledger::RequestRecord record;
};

class Floor final : public serve::Observer {
 public:
  static constexpr std::size_t kMostKept = 1024;
  /// How often the tokens of one request are news.
  static constexpr Millis kTokensEvery{200};

  explicit Floor(const Clock& clock) : clock_(clock) {}

  void decided(const serve::Observed& request) override;
  void began(const serve::Observed& request, const ledger::Attempt& attempt) override;
  void wrote(const serve::Observed& request, std::int64_t pieces) override;
  void ended(const ledger::RequestRecord& record) override;

  const std::map<RequestId, UnderWay>& under_way() const { return under_way_; }
  /// The last of them, oldest first.
  const std::deque<Ended>& ended() const { return ended_; }
  std::uint64_t last_number() const { return last_number_; }
  /// Goes up with every change.
  std::uint64_t version() const { return version_; }
  async::Broadcast& changed() { return changed_; }

  /// The daemon ends: whoever looks on is to leave.
  void close();
  bool closed() const { return closed_; }

 private:
  UnderWay& entry(const serve::Observed& request);
  void note();

  const Clock& clock_;
  std::map<RequestId, UnderWay> under_way_;
  std::deque<Ended> ended_;
  std::uint64_t last_number_ = 0;
  std::uint64_t version_ = 1;
  bool closed_ = false;
  async::Broadcast changed_;
};

}  // namespace minimill::floor
