#include "route/vocabulary.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "route/state_bytes.h"

namespace minimill::route {
namespace {

constexpr std::uint32_t kMostTexts = 60'000;  // counts stay within 16 bits

/// log(n + 1) of small counts, which nearly all are.
const std::array<float, 4096>& small_logs() {
  static const std::array<float, 4096> logs = [] {
    std::array<float, 4096> made{};
    for (std::size_t i = 0; i < made.size(); ++i) made[i] = std::log1p(static_cast<float>(i));
    return made;
  }();
  return logs;
}

float log_of(std::uint32_t count) {
  const auto& logs = small_logs();
  return count < logs.size() ? logs[count] : std::log1p(static_cast<float>(count));
}

}  // namespace

Vocabulary::Vocabulary() : containing_(kSize) {}

void Vocabulary::add(const std::vector<std::uint32_t>& hashes,
                     const std::vector<std::uint32_t>& more) {
  if (texts_ >= kMostTexts) halve();
  ++texts_;
  std::vector<std::uint32_t> buckets(hashes.size() + more.size());
  const auto rest = std::ranges::transform(hashes, buckets.begin(), bucket).out;
  std::ranges::transform(more, rest, bucket);
  std::ranges::sort(buckets);
  const auto [last, end] = std::ranges::unique(buckets);
  for (auto each = buckets.begin(); each != last; ++each) ++containing_[*each];
}

void Vocabulary::halve() {
  texts_ /= 2;
  for (std::uint16_t& count : containing_) count /= 2;
}

void Vocabulary::append_terms(const std::vector<std::uint32_t>& hashes, std::uint32_t offset,
                              float length, std::vector<Term>& out) const {
  const std::size_t first = out.size();
  const float log_texts = 1 + log_of(texts_);
  const auto& logs = small_logs();
  out.resize(first + hashes.size());
  Term* const terms = out.data() + first;
  float squares = 0;
  for (std::size_t i = 0; i < hashes.size(); ++i) {
    const std::uint32_t at = bucket(hashes[i]);
    const std::uint16_t count = containing_[at];
    const float value = log_texts - (count < logs.size() ? logs[count] : log_of(count));
    squares += value * value;
    terms[i] = {.bucket = at + offset, .value = value};
  }
  const float scale = length / (std::sqrt(squares) + 1e-6F);
  for (std::size_t i = 0; i < hashes.size(); ++i) terms[i].value *= scale;
}

void Vocabulary::append_state(std::string& out) const {
  append_number(out, texts_);
  append_numbers(out, containing_);
}

Result<> Vocabulary::take_state(std::string_view& bytes) {
  const bool whole = take_number(bytes, texts_) && take_numbers(bytes, containing_);
  if (whole && texts_ <= kMostTexts) return {};
  return fail(ErrorCode::kCorrupt, "the router's vocabulary is damaged");
}

}  // namespace minimill::route
