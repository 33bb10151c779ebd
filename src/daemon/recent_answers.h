#pragma once

// What was asked lately, and how it was decided: kept so that an app's word on an answer teaches
// the router something. In memory only, as prompts are not kept; bounded in number and in bytes.

#include <cstddef>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/ids.h"
#include "route/router.h"

namespace minimill::daemon {

struct RecentAnswer {
  route::RouteInput input;
  std::string operation;
  route::Lane lane = route::Lane::kLocal;  // that answered
  double p_before = 0;
  std::optional<double> mean_logprob;  // of the tokens that were held back
};

class RecentAnswers {
 public:
  static constexpr std::size_t kMaxAnswers = 4096;
  static constexpr std::size_t kMaxBytes = std::size_t{8} << 20;  // of prompts

  void remember(const RequestId& id, RecentAnswer answer);
  /// Hands it over once: an answer is judged once.
  std::optional<RecentAnswer> take(std::string_view id);

 private:
  void forget_oldest();

  std::unordered_map<std::string, RecentAnswer> answers_;
  std::deque<std::string> oldest_first_;
  std::size_t bytes_ = 0;
};

}  // namespace minimill::daemon
