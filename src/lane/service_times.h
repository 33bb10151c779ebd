#pragma once

// How long a job is likely to take in a lane: from the request's size, the operation's history and
// the model's measured speed.
//
// A model's time is taken to be a + b · prompt tokens + c · answer tokens, fitted by recursive
// least squares with forgetting (Ljung, System Identification, §11.2), so that it follows a machine
// that gets busy. How long an operation's answers are, and by what factor it differs from what its
// size says (a cached prompt, say), are decaying means, drawn towards the lane's while they are
// few.
//
// Event-loop thread only; microseconds.

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>

#include "chat/decision.h"

namespace minimill::lane {

/// One attempt as it was.
struct ServiceSample {
  chat::Lane lane = chat::Lane::kLocal;
  std::string_view model;
  std::string_view operation;  // "" where unknown
  std::int64_t prompt_tokens = 0;
  std::int64_t answer_tokens = 0;
  double seconds = 0;
};

struct ServicePrediction {
  double seconds = 0;
  double answer_tokens = 0;
};

class ServiceTimes {
 public:
  /// Samples that cannot be (negative, over a day) are ignored.
  void learn(const ServiceSample& sample);
  /// `max_tokens` 0: the answer may be of any length.
  ServicePrediction predict(chat::Lane lane, std::string_view model, std::string_view operation,
                            std::int64_t prompt_tokens, std::int64_t max_tokens) const;

 private:
  static constexpr std::size_t kTerms = 3;
  using Vector = std::array<double, kTerms>;

  class Speed {
   public:
    explicit Speed(chat::Lane lane);
    double seconds(const Vector& sizes) const;
    void learn(const Vector& sizes, double seconds);

   private:
    Vector weights_;
    std::array<Vector, kTerms> covariance_{};
  };
  /// Decaying means, of the newest twenty or so.
  struct History {
    double count = 0;
    double answer_tokens = 0;
    double log_factor = 0;
    std::uint64_t learnt_at = 0;  // for forgetting whoever has not come for longest
    void learn(double tokens, double factor);
  };
  using Key = std::pair<chat::Lane, std::string>;

  static Vector sizes(double prompt_tokens, double answer_tokens);
  const Speed* speed_of(chat::Lane lane, std::string_view model) const;
  const History* history_of(chat::Lane lane, std::string_view operation) const;

  std::map<Key, Speed> speeds_;
  std::map<Key, History> operations_;
  std::array<History, chat::kLaneCount> lanes_;
  std::uint64_t learnt_ = 0;
};

}  // namespace minimill::lane
