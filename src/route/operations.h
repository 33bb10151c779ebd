#pragma once

// The operations there have been ("triage-this-mail"), how to know them again, and how the local
// lane has fared with each.
//
// A titled task belongs to the operation of its title. Work without a title belongs to the
// operation whose texts it resembles most, if it resembles one enough: cosine between hashed bags
// of words, an operation's being the decayed mean of its texts.

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "route/features.h"
#include "route/router.h"

namespace minimill::route {

class Operations {
 public:
  static constexpr std::size_t kMaxOperations = 512;
  /// Every so many works that went to the cloud unseen, one is picked for the device. One: the
  /// others that wait beside it would all have the same reason to go.
  static constexpr std::int64_t kExploreAfter = 20;

  struct Operation {
    std::string title;
    std::int64_t seen = 0;
    std::int64_t last_seen = 0;    // in works seen, for eviction
    std::int64_t since_tried = 0;  // works seen since the local lane was last tried
    std::uint32_t trial = 0;       // fingerprint of the one work picked to try it again; 0: none
    double local_ok = 0;           // decayed counts
    double local_failed = 0;
    std::vector<float> centroid;  // kCentroidSize
    float centroid_length = 1;    // its Euclidean norm
  };

  /// The operation this work belongs to; "" where it resembles none.
  std::string find(const RouteInput& input, const Features& features) const;
  /// The same, and remembers the work; a new title makes a new operation.
  std::string remember(const RouteInput& input, const Features& features);
  void learn(std::string_view operation, bool local_ok, double weight);
  const Operation* get(std::string_view operation) const;
  const std::map<std::string, Operation, std::less<>>& all() const { return operations_; }

  void append_state(std::string& out) const;
  Result<> take_state(std::string_view& bytes);

 private:
  void make_room();

  std::map<std::string, Operation, std::less<>> operations_;
  std::int64_t works_ = 0;
};

/// Tells works apart; never 0.
std::uint32_t fingerprint(const Features& features);

/// "Triage this customer mail #17" → "triage-this-customer-mail"; "" for a title without letters.
std::string operation_slug(std::string_view title);

}  // namespace minimill::route
