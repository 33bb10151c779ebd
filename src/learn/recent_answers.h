#pragma once

// What was asked lately, and how it was decided: kept so that what becomes known of an answer later
// teaches the router something. In memory only, as prompts are not kept; bounded in number and in
// bytes.

#include <cstddef>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/clock.h"
#include "base/ids.h"
#include "route/router.h"

namespace minimill::learn {

struct Judgement {
  route::OutcomeKind kind{};
  bool ok = false;
};

struct RecentAnswer {
  route::RouteInput input;
  WallTime at{};
  std::string operation;
  chat::Lane lane = chat::Lane::kLocal;  // that answered
  double p_before = 0;
  std::optional<double> mean_logprob;  // of the tokens that were held back
  std::optional<Judgement> judged;     // the strongest so far
};

class RecentAnswers {
 public:
  static constexpr std::size_t kMaxAnswers = 4096;
  static constexpr std::size_t kMaxBytes = std::size_t{8} << 20;  // of prompts

  void remember(const RequestId& id, RecentAnswer answer);
  /// nullptr where it is not known (any more). To be used before the next remember().
  RecentAnswer* find(std::string_view id);
  /// The newest answer this app got to this very text; "" where there is none.
  std::string same_asked(std::string_view app, std::string_view text) const;

 private:
  void forget_oldest();

  std::unordered_map<std::size_t, std::string> by_text_;  // hash of app and text to the newest id
  std::unordered_map<std::string, RecentAnswer> answers_;
  std::deque<std::string> oldest_first_;
  std::size_t bytes_ = 0;
};

}  // namespace minimill::learn
