#include "route/unknown_works.h"

#include <algorithm>

namespace minimill::route {
namespace {

constexpr float kAlike = 0.7F;  // least cosine of texts that may be of one operation
constexpr std::size_t kNameWords = 6;

std::vector<std::string> first_words(std::string_view text) {
  std::vector<std::string> words(1);
  for (const char c : text.substr(0, 400)) {
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                        (static_cast<unsigned char>(c) & 0x80U) != 0;
    if (letter) {
      words.back() += c;
    } else if (!words.back().empty()) {
      if (words.size() == kNameWords) break;
      words.emplace_back();
    }
  }
  if (words.back().empty()) words.pop_back();
  return words;
}

}  // namespace

std::optional<UnknownWorks::Group> UnknownWorks::add(const Sketch& sketch, const Features& features,
                                                     std::string_view text) {
  std::vector<std::string> name = first_words(text);
  if (name.empty()) return std::nullopt;
  std::vector<bool> alike(works_.size());
  for (std::size_t i = 0; i < works_.size(); ++i) {
    alike[i] = cosine(sketch, works_[i].sketch) >= kAlike;
  }
  const auto found = static_cast<std::size_t>(std::ranges::count(alike, true));
  if (found + 1 < kEnough) {
    works_.push_back({.sketch = sketch, .features = features, .beginning = std::move(name)});
    if (works_.size() > kMost) works_.pop_front();
    return std::nullopt;
  }
  Group group;
  std::deque<Work> left;
  std::size_t shared = name.size();
  for (std::size_t i = 0; i < works_.size(); ++i) {
    if (!alike[i]) {
      left.push_back(std::move(works_[i]));
      continue;
    }
    const auto differ = std::ranges::mismatch(name, works_[i].beginning).in1;
    shared = std::min(shared, static_cast<std::size_t>(differ - name.begin()));
    group.examples.push_back(std::move(works_[i].features));
  }
  works_ = std::move(left);
  // What they all begin with, if that says anything; else how the newest begins.
  constexpr std::size_t kTelling = 2;
  if (shared >= kTelling) name.resize(shared);
  for (const std::string& word : name) group.name += (group.name.empty() ? "" : " ") + word;
  return group;
}

}  // namespace minimill::route
