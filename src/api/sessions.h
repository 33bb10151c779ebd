#pragma once

// Browsers of the machine's owner. `minimill open` asks for a link over the Unix socket, where the
// kernel says who asks; the link is good once, within kLinkLife, and gives the browser that opens
// it a cookie. There is no password. What is kept of a cookie is its hash, in the ledger, so that
// an open page outlives a restart of the daemon. Event-loop thread only.

#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "http/server.h"
#include "ledger/ledger.h"

namespace minimill::api {

class Sessions {
 public:
  static constexpr std::chrono::minutes kLinkLife{5};
  static constexpr std::chrono::days kLife{30};
  static constexpr std::size_t kMost = 64;  // of each; the oldest goes

  Sessions(const Clock& clock, ledger::Ledger& ledger);

  /// The token of a new link.
  Result<std::string> make_link();
  /// The cookie's value for whoever brings a link's token; kForbidden where it is not (any more)
  /// good.
  Result<std::string> redeem(std::string_view token);

  /// A cookie of one of them, sent by a page of our own: SameSite=Strict lets pages on other ports
  /// of this machine send it, too, and these are refused here.
  bool knows(const http::Request& request) const;

  /// "minimill-4177": cookies belong to a host, whatever its port, and two daemons must not take
  /// each other's.
  static std::string cookie_name(const http::Request& request);

 private:
  using Hashes = std::map<std::string, WallTime, std::less<>>;  // when made
  void drop_old(Hashes& hashes, Millis life) const;
  void save() const;

  const Clock& clock_;
  ledger::Ledger& ledger_;
  Hashes links_;
  Hashes sessions_;
};

}  // namespace minimill::api
