#pragma once

// How common each word and run of characters is in what this machine is asked, so that rare ones
// say more: inverse document frequency (Spärck Jones 1972) over hashed terms. Counts are halved
// when they grow large, which forgets slowly.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace minimill::route {

/// One hashed term of a text and what it counts there.
struct Term {
  std::uint32_t bucket = 0;
  float value = 0;
};

class Vocabulary {
 public:
  static constexpr std::uint32_t kBits = 16;
  static constexpr std::uint32_t kSize = 1U << kBits;
  /// The bucket of a 32-bit hash.
  static constexpr std::uint32_t bucket(std::uint32_t hash) {
    return (hash ^ (hash >> kBits)) & (kSize - 1);
  }

  Vocabulary();

  /// Counts a text's hashes, of one or two kinds, once each.
  void add(const std::vector<std::uint32_t>& hashes, const std::vector<std::uint32_t>& more = {});

  /// Appends a text's terms, scaled to Euclidean length `length`; buckets are offset by `offset`.
  void append_terms(const std::vector<std::uint32_t>& hashes, std::uint32_t offset, float length,
                    std::vector<Term>& out) const;

  void append_state(std::string& out) const;
  Result<> take_state(std::string_view& bytes);

 private:
  void halve();

  std::uint32_t texts_ = 0;
  std::vector<std::uint16_t> containing_;  // texts that have the bucket's term
};

}  // namespace minimill::route
