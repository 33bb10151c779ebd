#include "route/features.h"

#include <algorithm>
#include <cmath>
#include <string>

namespace minimill::route {
namespace {

constexpr std::size_t kReadFront = 1536;  // bytes of a long text that are read
constexpr std::size_t kReadBack = 768;
constexpr std::size_t kReadCharacters = 1 << 10;  // of those, for runs of characters
constexpr std::size_t kRun = 4;
constexpr std::size_t kMaxWordBytes = 24;  // the rest of a longer word adds nothing
constexpr std::size_t kSkillHashes = 160;  // of words and pairs of words
constexpr std::size_t kSkillBytes = 160;   // for runs of characters
constexpr std::size_t kShortestRun = 3;
constexpr std::size_t kLongestRun = 5;

constexpr std::array<FeatureName, kDenseCount> kNames{{
    {"length", "it is long", 0.85F, "it is short"},
    {"lines", "it has many lines", 0.23F, "it has few lines"},
    {"digits", "it is full of digits"},
    {"numbers", "it has several numbers"},
    {"quantity_words", "it asks how much or how many"},
    {"arithmetic", "it is about calculating"},
    {"reasoning", "it asks for reasoning, step by step"},
    {"design", "it asks to plan, design or compare"},
    {"writing", "it asks for a longer text"},
    {"code", "it has code in it"},
    {"math_symbols", "it has formulas in it"},
    {"extraction", "it asks to find or copy something that is there"},
    {"choice", "it asks to choose from a list"},
    {"short_answer", "it asks for a short answer"},
    {"questions", "it asks several questions"},
    {"tools", "it brings tools"},
    {"images", "it brings images"},
    {"turns", "it is a long conversation"},
    {"wants_json", "it wants JSON"},
}};

struct Cue {
  std::string_view text;
  DenseFeature feature;
};

// Phrases, lower case, found at the beginning of a word.
constexpr std::array kCues{
    Cue{"how many", kQuantityWords},
    Cue{"how much", kQuantityWords},
    Cue{"how far", kQuantityWords},
    Cue{"how long", kQuantityWords},
    Cue{"in total", kQuantityWords},
    Cue{"altogether", kQuantityWords},
    Cue{"each", kArithmetic},
    Cue{"percent", kArithmetic},
    Cue{"average", kArithmetic},
    Cue{"twice", kArithmetic},
    Cue{"times as", kArithmetic},
    Cue{"per ", kArithmetic},
    Cue{"calculate", kArithmetic},
    Cue{"remaining", kArithmetic},
    Cue{"sum of", kArithmetic},
    Cue{"cost", kArithmetic},
    Cue{"step by step", kReasoning},
    Cue{"show your", kReasoning},
    Cue{"explain why", kReasoning},
    Cue{"prove", kReasoning},
    Cue{"derive", kReasoning},
    Cue{"reason", kReasoning},
    Cue{"why ", kReasoning},
    Cue{"which of the following", kReasoning},
    Cue{"justify", kReasoning},
    Cue{"analyse", kReasoning},
    Cue{"analyze", kReasoning},
    Cue{"evaluate", kReasoning},
    Cue{"plan ", kDesign},
    Cue{"design", kDesign},
    Cue{"compare", kDesign},
    Cue{"trade-off", kDesign},
    Cue{"strategy", kDesign},
    Cue{"architecture", kDesign},
    Cue{"propose", kDesign},
    Cue{"recommend", kDesign},
    Cue{"pros and cons", kDesign},
    Cue{"implement", kDesign},
    Cue{"write", kWriting},
    Cue{"draft", kWriting},
    Cue{"summar", kWriting},
    Cue{"essay", kWriting},
    Cue{"report", kWriting},
    Cue{"rewrite", kWriting},
    Cue{"copy", kExtraction},
    Cue{"extract", kExtraction},
    Cue{"find the", kExtraction},
    Cue{"what is the name", kExtraction},
    Cue{"who ", kExtraction},
    Cue{"when ", kExtraction},
    Cue{"word for word", kExtraction},
    Cue{"mentioned", kExtraction},
    Cue{"exactly one of", kChoice},
    Cue{"one of:", kChoice},
    Cue{"classify", kChoice},
    Cue{"tag it", kChoice},
    Cue{"which queue", kChoice},
    Cue{"label", kChoice},
    Cue{"yes or no", kChoice},
    Cue{"answer with", kShortAnswer},
    Cue{"only the", kShortAnswer},
    Cue{"one word", kShortAnswer},
    Cue{"one line", kShortAnswer},
    Cue{"one sentence", kShortAnswer},
    Cue{"briefly", kShortAnswer},
};

constexpr std::uint32_t kFnvOffset = 2166136261U;
constexpr std::uint32_t kFnvPrime = 16777619U;

constexpr char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }
constexpr bool is_digit(char c) { return c >= '0' && c <= '9'; }
/// Letters of every script: bytes beyond ASCII count.
constexpr std::array<bool, 256> kIsWord = [] {
  std::array<bool, 256> is{};
  for (int c = 0; c < 256; ++c) {
    const char lowered = lower(static_cast<char>(c));
    is[c] = is_digit(lowered) || (lowered >= 'a' && lowered <= 'z') || c >= 0x80;
  }
  return is;
}();
constexpr bool is_word(char c) { return kIsWord[static_cast<unsigned char>(c)]; }

/// Spreads what differs in a few bits (the finalizer of MurmurHash3).
constexpr std::uint32_t mixed(std::uint32_t hash) {
  hash = (hash ^ (hash >> 16)) * 0x85EBCA6BU;
  hash = (hash ^ (hash >> 13)) * 0xC2B2AE35U;
  return hash ^ (hash >> 16);
}

/// Cues by their first byte, so that each place in the text is held against few of them.
struct CueIndex {
  std::array<std::vector<const Cue*>, 128> by_first;
  CueIndex() {
    for (const Cue& cue : kCues) by_first[static_cast<unsigned char>(cue.text[0])].push_back(&cue);
  }
};

std::string read_part(std::string_view text) {
  std::string part(text.substr(0, kReadFront));
  if (text.size() > kReadFront + kReadBack) {
    part += ' ';
    part += text.substr(text.size() - kReadBack);
  } else if (text.size() > kReadFront) {
    part += text.substr(kReadFront);
  }
  std::ranges::transform(part, part.begin(), lower);
  return part;
}

constexpr double kMostSquashed = 1.5;  // repeating a cue moves the estimate no further than this

/// log(1 + x), scaled so that `typical` becomes 1.
float squashed(double count, double typical) {
  return static_cast<float>(std::min(std::log1p(count) / std::log1p(typical), kMostSquashed));
}

struct Counts {
  std::array<int, kDenseCount> of{};
  int digits = 0;
  int lines = 1;
  int symbols = 0;
  int braces = 0;
};

/// One pass over the words: hashes, cues and counts.
void read_words(const std::string& text, Features& features, Counts& counts) {
  static const CueIndex cues;
  std::uint32_t previous = 0;
  std::size_t i = 0;
  while (i < text.size()) {
    const char c = text[i];
    if (!is_word(c)) {
      counts.lines += c == '\n';
      counts.symbols += c == '=' || c == '^' || c == '+' || c == '\\';
      counts.braces += c == '{' || c == '}' || c == ';' || c == '`';
      counts.of[kQuestions] += c == '?';
      ++i;
      continue;
    }
    const std::string_view rest = std::string_view(text).substr(i);
    if (static_cast<unsigned char>(c) < 128) {
      for (const Cue* cue : cues.by_first[static_cast<unsigned char>(c)]) {
        // The second letter already tells nearly all apart.
        if (rest.size() < 2 || cue->text[1] != rest[1]) continue;
        if (rest.starts_with(cue->text)) ++counts.of[cue->feature];
      }
    }
    std::uint32_t hash = kFnvOffset;
    const std::size_t from = i;
    bool number = true;
    for (; i < text.size() && is_word(text[i]); ++i) {
      number = number && is_digit(text[i]);
      counts.digits += is_digit(text[i]);
      if (i - from < kMaxWordBytes) hash = (hash ^ static_cast<unsigned char>(text[i])) * kFnvPrime;
    }
    if (number) {
      ++counts.of[kNumbers];
      hash = kFnvOffset;  // which number it is says nothing
    }
    features.words.push_back(mixed(hash));
    if (previous != 0) features.words.push_back(mixed((previous * 31) ^ hash));
    previous = hash;
  }
}

void read_characters(const std::string& text, Features& features) {
  const std::size_t end = std::min(text.size(), kReadCharacters);
  if (end < kRun) return;
  features.characters.resize(end - kRun + 1);
  const char* const bytes = text.data();
  std::uint32_t* const out = features.characters.data();
  const auto at = [bytes](std::size_t i) {
    return std::uint32_t{static_cast<unsigned char>(bytes[i])};
  };
  for (std::size_t i = 0; i + kRun <= end; ++i) {  // each by itself, so that it is done by eights
    out[i] = mixed(at(i) << 24 | at(i + 1) << 16 | at(i + 2) << 8 | at(i + 3));
  }
}

/// Runs within words, each word with a blank before and after it.
void read_runs(const std::string& text, std::vector<std::uint32_t>& runs) {
  const std::size_t end = std::min(text.size(), kSkillBytes);
  const auto at = [&text, end](std::size_t i) {
    return i < end && is_word(text[i]) ? text[i] : ' ';
  };
  for (std::size_t i = 0; i < end; ++i) {
    // A run begins on a letter or on the blank before one.
    if (at(i) == ' ' && at(i + 1) == ' ') continue;
    std::uint32_t hash = kFnvOffset;
    for (std::size_t length = 1; length <= kLongestRun; ++length) {
      const char c = at(i + length - 1);
      hash = (hash ^ static_cast<unsigned char>(c)) * kFnvPrime;
      if (length >= kShortestRun) runs.push_back(mixed(hash ^ static_cast<std::uint32_t>(length)));
      if (c == ' ' && length > 1) break;
    }
  }
}

}  // namespace

const FeatureName& feature_name(std::size_t feature) { return kNames[feature]; }

Features extract_features(const RouteInput& input) {
  Features features;
  Counts counts;
  const std::string text = read_part(input.text);
  features.words.reserve(text.size() / 2);
  read_words(text, features, counts);
  read_characters(text, features);
  features.skill_words.assign(features.words.begin(),
                              features.words.begin() + static_cast<std::ptrdiff_t>(std::min(
                                                           features.words.size(), kSkillHashes)));
  features.skill_runs.reserve(kSkillBytes * (kLongestRun - kShortestRun + 1));
  read_runs(text, features.skill_runs);

  auto& dense = features.dense;
  dense[kLength] = squashed(static_cast<double>(input.text.size()), 2000);
  dense[kLines] = squashed(counts.lines, 20);
  dense[kDigits] = static_cast<float>(counts.digits) / static_cast<float>(text.size() + 1) * 5;
  for (const DenseFeature each : {kNumbers, kQuantityWords, kArithmetic, kReasoning, kDesign,
                                  kWriting, kExtraction, kChoice, kShortAnswer, kQuestions}) {
    dense[each] = squashed(counts.of[each], 2);
  }
  dense[kCode] = squashed(counts.braces, 10);
  dense[kMathSymbols] = squashed(counts.symbols, 5);
  dense[kTools] = squashed(input.tools, 3);
  dense[kImages] = squashed(input.images, 1);
  dense[kTurns] = squashed(std::max(0, input.turns - 1), 4);
  dense[kWantsJson] = input.wants_json ? 1.0F : 0.0F;
  return features;
}

std::uint32_t fingerprint(const Features& features) {
  std::uint32_t hash = kFnvOffset;
  for (const std::uint32_t word : features.words) hash = (hash ^ word) * kFnvPrime;
  return std::max(hash, 1U);
}

RouteInput route_input(const chat::ChatRequest& request) {
  RouteInput input;
  input.text = chat::prompt_text(request);
  input.turns = 0;
  for (const chat::Message& message : request.messages()) {
    if (message.role == chat::Role::kUser) ++input.turns;
    for (const chat::Part& part : message.parts) {
      if (std::holds_alternative<chat::Image>(part)) ++input.images;
    }
  }
  input.tools = static_cast<int>(request.tools().size());
  input.wants_json = request.response_format() != chat::ResponseFormat::kText;
  return input;
}

}  // namespace minimill::route
