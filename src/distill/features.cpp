#include "distill/features.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "route/state_bytes.h"

namespace minimill::distill {
namespace {

constexpr std::uint32_t kPairSeed = 0x9e3779b9;
constexpr std::uint32_t kRunSeed = 0x85ebca6b;
constexpr std::size_t kShortestRun = 3;
constexpr std::size_t kLongestRun = 5;
constexpr float kRunWeight = 0.7F;  // of runs against words; measured on Banking77
constexpr std::uint32_t kMostTexts = 60'000;
constexpr std::uint32_t kRoomBits = 3;
constexpr std::uint32_t kCheapBits = 16;

struct Hashes {
  std::vector<std::uint32_t> words;  // and pairs
  std::vector<std::uint32_t> runs;
};

bool is_word_byte(unsigned char c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c >= 0x80;
}

std::string lower(std::string_view text) {
  std::string out(text.substr(0, TextFeatures::kMostBytes));
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

void add_runs(std::string_view word, std::vector<std::uint32_t>& runs) {
  std::string edged = " ";
  edged += word;
  edged += ' ';
  for (std::size_t length = kShortestRun; length <= kLongestRun; ++length) {
    for (std::size_t at = 0; at + length <= edged.size(); ++at) {
      runs.push_back(term_hash(std::string_view(edged).substr(at, length), kRunSeed));
    }
  }
}

Hashes hashes_of(std::string_view text) {
  Hashes hashes;
  const std::string all = lower(text);
  std::uint32_t last = 0;
  std::size_t at = 0;
  while (at < all.size()) {
    if (all[at] == '?' || all[at] == '!') {
      hashes.words.push_back(term_hash(std::string_view(all).substr(at, 1)));
    }
    if (!is_word_byte(static_cast<unsigned char>(all[at]))) {
      ++at;
      continue;
    }
    std::size_t end = at;
    while (end < all.size() && (is_word_byte(static_cast<unsigned char>(all[end])) ||
                                (all[end] == '\'' && end + 1 < all.size()))) {
      ++end;
    }
    const std::string_view word = std::string_view(all).substr(at, end - at);
    const std::uint32_t hash = term_hash(word);
    hashes.words.push_back(hash);
    const std::uint32_t pair = (last * 31U) ^ hash;
    hashes.words.push_back(
        term_hash({reinterpret_cast<const char*>(&pair), sizeof pair}, kPairSeed));
    last = hash;
    add_runs(word, hashes.runs);
    at = end;
  }
  return hashes;
}

std::uint32_t bucket(std::uint32_t hash, std::uint32_t bits) { return hash >> (32 - bits); }

/// Sorted, each once.
std::vector<std::uint32_t> distinct(std::vector<std::uint32_t> all) {
  std::ranges::sort(all);
  const auto rest = std::ranges::unique(all);
  all.erase(rest.begin(), rest.end());
  return all;
}

}  // namespace

std::uint32_t term_hash(std::string_view term, std::uint32_t seed) {
  std::uint32_t hash = 2166136261U ^ seed;
  for (const char c : term) hash = (hash ^ static_cast<unsigned char>(c)) * 16777619U;
  hash ^= hash >> 16;  // murmur3's last mix: the upper bits are the bucket
  hash *= 0x85ebca6bU;
  hash ^= hash >> 13;
  hash *= 0xc2b2ae35U;
  return hash ^ (hash >> 16);
}

TextFeatures TextFeatures::fit(std::span<const std::string_view> texts, std::uint32_t most_bits) {
  texts = texts.first(std::min<std::size_t>(texts.size(), kMostTexts));
  std::vector<std::vector<std::uint32_t>> all;
  std::vector<std::uint32_t> seen;
  for (const std::string_view text : texts) {
    Hashes hashes = hashes_of(text);
    hashes.words.insert(hashes.words.end(), hashes.runs.begin(), hashes.runs.end());
    all.push_back(distinct(std::move(hashes.words)));
    seen.insert(seen.end(), all.back().begin(), all.back().end());
  }
  const std::size_t terms = distinct(std::move(seen)).size();

  TextFeatures features;
  // Of the terms that a new text has and no learnt one had, few may meet one that was learnt: four
  // to eight buckets a term while that is cheap.
  const auto needed = static_cast<std::uint32_t>(std::bit_width(terms));
  const std::uint32_t roomy = std::max(needed, std::min(needed + kRoomBits, kCheapBits));
  features.bits_ = std::clamp(roomy, kMinBits, std::min(most_bits, kMaxBits));
  features.texts_ = static_cast<std::uint32_t>(texts.size());
  features.containing_.resize(features.size());
  for (std::vector<std::uint32_t>& hashes : all) {
    for (std::uint32_t& hash : hashes) hash = bucket(hash, features.bits_);
    for (const std::uint32_t each : distinct(std::move(hashes))) ++features.containing_[each];
  }
  return features;
}

std::vector<Term> TextFeatures::of(std::string_view text) const {
  std::vector<Term> terms;
  if (containing_.empty()) return terms;
  const Hashes hashes = hashes_of(text);
  const auto append = [this, &terms](const std::vector<std::uint32_t>& each, float weight) {
    std::vector<std::uint32_t> buckets;
    for (const std::uint32_t hash : each) buckets.push_back(bucket(hash, bits_));
    std::ranges::sort(buckets);
    const std::size_t first = terms.size();
    float squares = 0;
    for (std::size_t i = 0; i < buckets.size();) {
      std::size_t end = i;
      while (end < buckets.size() && buckets[end] == buckets[i]) ++end;
      const std::uint32_t containing = containing_[buckets[i]];
      const float rarity =
          std::log((1.0F + static_cast<float>(texts_)) / (1.0F + static_cast<float>(containing))) +
          1.0F;
      // What was in no text learnt from has no weights: it only takes from the others' length.
      const float value = (1.0F + std::log(static_cast<float>(end - i))) * rarity;
      squares += value * value;
      if (containing > 0) terms.push_back({.bucket = buckets[i], .value = value});
      i = end;
    }
    const float scale = weight / (std::sqrt(squares) + 1e-6F);
    for (std::size_t i = first; i < terms.size(); ++i) terms[i].value *= scale;
  };
  append(hashes.words, std::sqrt(1 - (kRunWeight * kRunWeight)));
  append(hashes.runs, kRunWeight);

  std::ranges::sort(terms, {}, &Term::bucket);
  std::size_t kept = 0;
  for (std::size_t i = 0; i < terms.size(); ++i) {
    if (kept > 0 && terms[kept - 1].bucket == terms[i].bucket) {
      terms[kept - 1].value += terms[i].value;
    } else {
      terms[kept++] = terms[i];
    }
  }
  terms.resize(kept);
  return terms;
}

double TextFeatures::familiarity(std::string_view text) const {
  if (containing_.empty()) return 0;
  double known = 0;
  double all = 0;
  for (const std::uint32_t hash : distinct(hashes_of(text).words)) {
    const double containing = containing_[bucket(hash, bits_)];
    const double rarity = std::log((1.0 + texts_) / (1.0 + containing)) + 1.0;
    all += rarity;
    if (containing > 0) known += rarity;
  }
  return all > 0 ? known / all : 0;
}

void TextFeatures::append_state(std::string& out) const {
  route::append_number(out, bits_);
  route::append_number(out, texts_);
  route::append_numbers(out, containing_);
}

Result<> TextFeatures::take_state(std::string_view& bytes) {
  if (!route::take_number(bytes, bits_) || bits_ < kMinBits || bits_ > kMaxBits ||
      !route::take_number(bytes, texts_) || texts_ > kMostTexts) {
    return fail(ErrorCode::kCorrupt, "the model's vocabulary is damaged");
  }
  containing_.assign(size(), 0);
  if (!route::take_numbers(bytes, containing_)) {
    return fail(ErrorCode::kCorrupt, "the model's vocabulary is damaged");
  }
  return {};
}

}  // namespace minimill::distill
