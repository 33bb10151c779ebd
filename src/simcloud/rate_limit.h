#pragma once

// The simulated cloud's limit of requests, and the headers by which providers tell of theirs:
// x-ratelimit-… in OpenAI's dialect, anthropic-ratelimit-… in Anthropic's.

#include "base/clock.h"
#include "chat/chat_request.h"
#include "http/message.h"

namespace minimill::simcloud {

class RateLimit {
 public:
  /// A bucket that holds a minute's worth; `per_minute` 0: no limit, and no headers unless they
  /// lie.
  RateLimit(const Clock& clock, int per_minute, bool lying_headers);

  /// False where the bucket is empty.
  bool take();
  void add_headers(chat::Protocol protocol, http::Headers& headers);

 private:
  void refill();

  const Clock& clock_;
  int per_minute_;
  bool lying_;
  double permits_;
  SteadyTime refilled_;
  unsigned lies_ = 0;
};

}  // namespace minimill::simcloud
