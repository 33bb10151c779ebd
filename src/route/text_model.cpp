#include "route/text_model.h"

#include "route/state_bytes.h"

namespace minimill::route {
namespace {

constexpr std::size_t kSize = std::size_t{2} * Vocabulary::kSize;
constexpr float kBlockLength = 0.70710678F;  // words and characters together have length one
constexpr double kStep = 0.2;

}  // namespace

std::vector<Term> TextTerms::of(const Features& features) const {
  std::vector<Term> terms;
  terms.reserve(features.words.size() + features.characters.size());
  words_.append_terms(features.words, 0, kBlockLength, terms);
  characters_.append_terms(features.characters, Vocabulary::kSize, kBlockLength, terms);
  return terms;
}

void TextTerms::add(const Features& features) {
  words_.add(features.words);
  characters_.add(features.characters);
}

void TextTerms::append_state(std::string& out) const {
  words_.append_state(out);
  characters_.append_state(out);
}

Result<> TextTerms::take_state(std::string_view& bytes) {
  if (Result<> taken = words_.take_state(bytes); !taken) return taken;
  return characters_.take_state(bytes);
}

TextModel::TextModel() : weights_(kSize) {}

double TextModel::score(std::span<const Term> terms) const {
  float score = 0;
  for (const Term& term : terms) score += term.value * weights_[term.bucket];
  return score;
}

void TextModel::update(std::span<const Term> terms, double error) {
  const auto move = static_cast<float>(kStep * error);
  for (const Term& term : terms) weights_[term.bucket] -= move * term.value;
}

void TextModel::append_state(std::string& out) const { append_numbers(out, weights_); }

Result<> TextModel::take_state(std::string_view& bytes) {
  if (take_numbers(bytes, weights_)) return {};
  return fail(ErrorCode::kCorrupt, "what was learnt of texts is damaged");
}

}  // namespace minimill::route
