#include "distill/span_tagger.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <functional>
#include <limits>
#include <numeric>

#include "distill/shuffler.h"
#include "distill/tagger_features.h"
#include "route/state_bytes.h"

namespace minimill::distill {
namespace {

constexpr float kNever = -1e4F;        // a score: inside a field that has not begun
constexpr float kMostTransition = 40;  // its exponential and sums of it stay finite
constexpr std::size_t kOutside = 0;
constexpr std::uint32_t kMinBits = 10;
constexpr std::uint32_t kMaxBits = 16;
constexpr std::uint32_t kRoomBits = 2;  // over what the features need, so that few collide
constexpr float kStep = 0.1F;
constexpr float kRidge = 1e-3F;
constexpr float kTransitionStep = 0.1F;
constexpr int kFewestEpochs = 12;
constexpr int kMostEpochs = 20;
constexpr std::size_t kSteps = 20'000;  // examples seen in all, where that gives more epochs

std::size_t begins(std::size_t field) { return 1 + (2 * field); }
std::size_t inside(std::size_t field) { return 2 + (2 * field); }
bool is_inside(std::size_t tag) { return tag != kOutside && tag % 2 == 0; }
/// From `tags` is the beginning of a text.
bool may_follow(std::size_t from, std::size_t to, std::size_t tags) {
  return !is_inside(to) || (from != tags && (from == to || from + 1 == to));
}

std::vector<std::uint32_t> tags_of(std::size_t words, const SpanTagger::Spans& spans) {
  std::vector<std::uint32_t> tags(words, kOutside);
  for (std::size_t field = 0; field < spans.size(); ++field) {
    if (!spans[field]) continue;
    for (std::size_t i = spans[field]->first; i < std::min(spans[field]->last, words); ++i) {
      tags[i] =
          static_cast<std::uint32_t>(i == spans[field]->first ? begins(field) : inside(field));
    }
  }
  return tags;
}

/// nullopt where a field is there twice.
std::optional<SpanTagger::Spans> spans_of(const std::vector<std::uint32_t>& tags,
                                          std::size_t fields) {
  SpanTagger::Spans spans(fields);
  for (std::size_t i = 0; i < tags.size(); ++i) {
    if (tags[i] == kOutside) continue;
    std::optional<WordRange>& span = spans[(tags[i] - 1) / 2];
    if (is_inside(tags[i])) {
      if (span) span->last = i + 1;
      continue;
    }
    if (span) return std::nullopt;
    span = WordRange{.first = i, .last = i + 1};
  }
  return spans;
}

}  // namespace

/// Sums over all taggings of one text, from the left and from the right. In probabilities that are
/// scaled word by word (Rabiner 1989, section V.A) rather than in logarithms: ten times as fast.
struct SpanTagger::Trellis {
  Trellis(std::size_t words, std::size_t tags_in)
      : tags(tags_in),
        count(words),
        scores(words * tags),
        forward(words * tags),
        backward(words * tags, 1.0F),
        scale(words) {}

  std::size_t tags;
  std::size_t count;
  std::vector<float> scores;   // until run_forward(): then their exponentials
  std::vector<float> forward;  // of every word, summing to one
  std::vector<float> backward;
  std::vector<float> scale;   // what each word's forward sum was divided by
  std::vector<float> follow;  // exponentials of transitions
  double log_partition = 0;

  void run_forward(const std::vector<float>& transitions) {
    follow.resize(transitions.size());
    for (std::size_t i = 0; i < follow.size(); ++i) follow[i] = std::exp(transitions[i]);
    for (std::size_t i = 0; i < count; ++i) {
      float* emitted = &scores[i * tags];
      const float most = *std::max_element(emitted, emitted + tags);
      for (std::size_t tag = 0; tag < tags; ++tag) emitted[tag] = std::exp(emitted[tag] - most);
      float* here = &forward[i * tags];
      if (i == 0) {
        std::copy_n(&follow[tags * tags], tags, here);
      } else {
        for (std::size_t from = 0; from < tags; ++from) {
          const float before = forward[((i - 1) * tags) + from];
          const float* row = &follow[from * tags];
          for (std::size_t to = 0; to < tags; ++to) here[to] += before * row[to];
        }
      }
      float sum = 1e-30F;
      for (std::size_t tag = 0; tag < tags; ++tag) sum += here[tag] *= emitted[tag];
      for (std::size_t tag = 0; tag < tags; ++tag) here[tag] /= sum;
      scale[i] = sum;
      log_partition += std::log(static_cast<double>(sum)) + most;
    }
  }
  void run_backward() {
    std::vector<float> after(tags);
    for (std::size_t i = count - 1; i-- > 0;) {
      for (std::size_t to = 0; to < tags; ++to) {
        after[to] = scores[((i + 1) * tags) + to] * backward[((i + 1) * tags) + to] / scale[i + 1];
      }
      for (std::size_t from = 0; from < tags; ++from) {
        const float* row = &follow[from * tags];
        float sum = 0;
        for (std::size_t to = 0; to < tags; ++to) sum += row[to] * after[to];
        backward[(i * tags) + from] = sum;
      }
    }
  }
};

/// The model while it is trained.
class TaggerTrainer {
 public:
  TaggerTrainer(std::span<const SpanTagger::Example> examples, std::size_t fields)
      : tags_(1 + (2 * fields)) {
    std::vector<std::uint32_t> seen;
    for (const SpanTagger::Example& example : examples) {
      const std::vector<Word> words = words_of(example.text);
      if (words.empty()) continue;
      texts_.push_back({.features = tagger_features(example.text, words),
                        .tags = tags_of(words.size(), example.spans),
                        .weight = example.weight});
      for (const auto& each : texts_.back().features)
        seen.insert(seen.end(), each.begin(), each.end());
    }
    std::ranges::sort(seen);
    const auto distinct = std::ranges::unique(seen).begin() - seen.begin();
    bits_ = std::clamp<std::uint32_t>(
        static_cast<std::uint32_t>(std::bit_width(static_cast<std::size_t>(distinct))) + kRoomBits,
        kMinBits, kMaxBits);
    for (Text& text : texts_) {
      for (auto& each : text.features) {
        for (std::uint32_t& hash : each) hash >>= 32 - bits_;
      }
    }
    weights_.resize((std::size_t{1} << bits_) * tags_);
    squares_.assign(weights_.size(), 1e-2F);
    transitions_.resize((tags_ + 1) * tags_);
    transition_squares_.assign(transitions_.size(), 1e-2F);
    for (std::size_t from = 0; from <= tags_; ++from) {
      for (std::size_t to = 0; to < tags_; ++to) {
        if (!may_follow(from, to, tags_)) transitions_[(from * tags_) + to] = kNever;
      }
    }
  }

  SpanTagger run() {
    std::vector<std::uint32_t> order(texts_.size());
    std::iota(order.begin(), order.end(), 0U);
    Shuffler shuffler(1);
    const int epochs = texts_.empty() ? 0
                                      : std::clamp(static_cast<int>(kSteps / texts_.size()),
                                                   kFewestEpochs, kMostEpochs);
    for (int epoch = 0; epoch < epochs; ++epoch) {
      shuffler.shuffle(order);
      const float left = 1 - (static_cast<float>(epoch) / static_cast<float>(epochs));
      for (const std::uint32_t i : order) step(texts_[i], left);
    }
    return quantised();
  }

 private:
  struct Text {
    std::vector<std::vector<std::uint32_t>> features;
    std::vector<std::uint32_t> tags;
    float weight = 1;
  };

  void step(const Text& text, float left) {
    const std::size_t count = text.tags.size();
    SpanTagger::Trellis trellis(count, tags_);
    for (std::size_t i = 0; i < count; ++i) {
      float* scores = &trellis.scores[i * tags_];
      for (const std::uint32_t bucket : text.features[i]) {
        const float* row = &weights_[bucket * tags_];
        for (std::size_t tag = 0; tag < tags_; ++tag) scores[tag] += row[tag];
      }
    }
    trellis.run_forward(transitions_);
    trellis.run_backward();
    std::vector<float> error(tags_);
    for (std::size_t i = 0; i < count; ++i) {
      for (std::size_t tag = 0; tag < tags_; ++tag) {
        error[tag] = trellis.forward[(i * tags_) + tag] * trellis.backward[(i * tags_) + tag];
      }
      error[text.tags[i]] -= 1;
      move_row(text.features[i], error, text.weight, left);
    }
    move_transitions(text, trellis, left);
  }

  void move_row(const std::vector<std::uint32_t>& buckets, const std::vector<float>& error,
                float weight, float left) {
    for (const std::uint32_t bucket : buckets) {
      float* row = &weights_[bucket * tags_];
      float* squares = &squares_[bucket * tags_];
      for (std::size_t tag = 0; tag < tags_; ++tag) {
        const float gradient = (error[tag] * weight) + (kRidge * row[tag]);
        squares[tag] += gradient * gradient;
        row[tag] -= kStep * left * gradient / std::sqrt(squares[tag]);
      }
    }
  }

  void move_transitions(const Text& text, const SpanTagger::Trellis& trellis, float left) {
    const std::size_t count = text.tags.size();
    std::vector<float> error(transitions_.size());
    std::vector<float> after(tags_);
    for (std::size_t to = 0; to < tags_; ++to) {
      error[(tags_ * tags_) + to] = trellis.forward[to] * trellis.backward[to];
    }
    error[(tags_ * tags_) + text.tags[0]] -= 1;
    for (std::size_t i = 1; i < count; ++i) {
      for (std::size_t to = 0; to < tags_; ++to) {
        after[to] = trellis.scores[(i * tags_) + to] * trellis.backward[(i * tags_) + to] /
                    trellis.scale[i];
      }
      for (std::size_t from = 0; from < tags_; ++from) {
        const float before = trellis.forward[((i - 1) * tags_) + from];
        for (std::size_t to = 0; to < tags_; ++to) {
          error[(from * tags_) + to] += before * trellis.follow[(from * tags_) + to] * after[to];
        }
      }
      error[(text.tags[i - 1] * tags_) + text.tags[i]] -= 1;
    }
    for (std::size_t i = 0; i < error.size(); ++i) {
      if (transitions_[i] <= kNever) continue;
      const float gradient = error[i] * text.weight;
      transition_squares_[i] += gradient * gradient;
      transitions_[i] -= kTransitionStep * left * gradient / std::sqrt(transition_squares_[i]);
    }
  }

  SpanTagger quantised() const {
    SpanTagger model;
    model.tags_ = tags_;
    model.bits_ = bits_;
    model.transitions_ = transitions_;
    float most = 1e-6F;
    for (const float weight : weights_) most = std::max(most, std::abs(weight));
    model.scale_ = most / 127;
    for (const float weight : weights_) {
      model.weights_.push_back(static_cast<std::int8_t>(std::lround(weight * 127 / most)));
    }
    return model;
  }

  std::size_t tags_;
  std::uint32_t bits_ = kMinBits;
  std::vector<Text> texts_;
  std::vector<float> weights_;
  std::vector<float> squares_;
  std::vector<float> transitions_;
  std::vector<float> transition_squares_;
};

namespace {

/// One of the n best ways to a word and tag.
struct Step {
  float score = std::numeric_limits<float>::lowest();
  std::uint32_t tag = 0;   // of the word before
  std::uint32_t rank = 0;  // among the n best to that
};

struct Path {
  float score = 0;
  std::vector<std::uint32_t> tags;
};

/// Exact n-best Viterbi: to each word and tag the `most` best ways, best first.
std::vector<Path> best_paths(const std::vector<float>& scores,
                             const std::vector<float>& transitions, std::size_t tags,
                             std::size_t most) {
  const std::size_t count = scores.size() / tags;
  std::vector<std::vector<Step>> ways(count * tags);
  std::vector<Step> all;
  const auto keep_best = [&all, most] {
    const auto middle = all.begin() + static_cast<std::ptrdiff_t>(std::min(most, all.size()));
    std::partial_sort(all.begin(), middle, all.end(),
                      [](const Step& a, const Step& b) { return a.score > b.score; });
    all.erase(middle, all.end());
  };
  for (std::size_t i = 0; i < count; ++i) {
    for (std::size_t to = 0; to < tags; ++to) {
      const float own = scores[(i * tags) + to];
      all.clear();
      if (i == 0) all.push_back({.score = transitions[(tags * tags) + to] + own});
      for (std::size_t from = 0; i > 0 && from < tags; ++from) {
        const std::vector<Step>& before = ways[((i - 1) * tags) + from];
        if (transitions[(from * tags) + to] <= kNever) continue;
        for (std::size_t rank = 0; rank < before.size(); ++rank) {
          all.push_back({.score = before[rank].score + transitions[(from * tags) + to] + own,
                         .tag = static_cast<std::uint32_t>(from),
                         .rank = static_cast<std::uint32_t>(rank)});
        }
      }
      keep_best();
      ways[(i * tags) + to] = all;
    }
  }
  all.clear();
  for (std::size_t tag = 0; tag < tags; ++tag) {
    const std::vector<Step>& last = ways[((count - 1) * tags) + tag];
    for (std::size_t rank = 0; rank < last.size(); ++rank) {
      all.push_back({.score = last[rank].score,
                     .tag = static_cast<std::uint32_t>(tag),
                     .rank = static_cast<std::uint32_t>(rank)});
    }
  }
  keep_best();
  std::vector<Path> paths;
  for (const Step& end : all) {
    Path path{.score = end.score, .tags = std::vector<std::uint32_t>(count)};
    Step at = end;
    for (std::size_t i = count; i-- > 0;) {
      path.tags[i] = at.tag;
      at = ways[(i * tags) + at.tag][at.rank];
    }
    paths.push_back(std::move(path));
  }
  return paths;
}

bool same(const SpanTagger::Spans& a, const SpanTagger::Spans& b) {
  return std::ranges::equal(a, b, [](const auto& x, const auto& y) {
    return x.has_value() == y.has_value() && (!x || (x->first == y->first && x->last == y->last));
  });
}

}  // namespace

SpanTagger SpanTagger::train(std::span<const Example> examples, std::size_t fields) {
  return TaggerTrainer(examples, fields).run();
}

std::optional<SpanTagger::Answer> SpanTagger::predict(std::string_view text) const {
  if (weights_.empty()) return std::nullopt;
  const std::vector<Word> words = words_of(text);
  if (words.empty()) return Answer{.spans = Spans(fields()), .probability = 0};
  const std::vector<std::vector<std::uint32_t>> features = tagger_features(text, words);
  Trellis trellis(words.size(), tags_);
  for (std::size_t i = 0; i < words.size(); ++i) {
    float* scores = &trellis.scores[i * tags_];
    for (const std::uint32_t hash : features[i]) {
      const std::int8_t* row = &weights_[(hash >> (32 - bits_)) * tags_];
      for (std::size_t tag = 0; tag < tags_; ++tag) scores[tag] += static_cast<float>(row[tag]);
    }
    for (std::size_t tag = 0; tag < tags_; ++tag) scores[tag] *= scale_;
  }
  const std::vector<Path> paths = best_paths(trellis.scores, transitions_, tags_, kPaths);
  trellis.run_forward(transitions_);
  std::vector<Answer> answers;
  for (const Path& path : paths) {
    std::optional<Spans> spans = spans_of(path.tags, fields());
    if (!spans) continue;
    const double probability = std::exp(path.score - trellis.log_partition);
    const auto known = std::ranges::find_if(
        answers, [&spans](const Answer& answer) { return same(answer.spans, *spans); });
    if (known == answers.end()) {
      answers.push_back({.spans = std::move(*spans), .probability = probability});
    } else {
      known->probability += probability;
    }
  }
  if (answers.empty()) return std::nullopt;
  std::ranges::sort(answers, std::greater{}, &Answer::probability);
  if (answers.size() > 1) answers[0].runner_up = answers[1].probability;
  return std::move(answers[0]);
}

void SpanTagger::append_state(std::string& out) const {
  route::append_number(out, static_cast<std::uint32_t>(tags_));
  route::append_number(out, bits_);
  route::append_number(out, scale_);
  for (const float transition : transitions_) route::append_number(out, transition);
  route::append_numbers(out, weights_);
}

Result<> SpanTagger::take_state(std::string_view& bytes) {
  const auto damaged = [] { return fail(ErrorCode::kCorrupt, "the tagger's weights are damaged"); };
  std::uint32_t tags = 0;
  if (!route::take_number(bytes, tags) || tags % 2 == 0 || tags > 1 + (2 * kMostFields) ||
      !route::take_number(bytes, bits_) || bits_ < kMinBits || bits_ > kMaxBits ||
      !route::take_number(bytes, scale_)) {
    return damaged();
  }
  tags_ = tags;
  transitions_.assign((tags_ + 1) * tags_, 0);
  for (std::size_t from = 0; from <= tags_; ++from) {
    for (std::size_t to = 0; to < tags_; ++to) {
      float& transition = transitions_[(from * tags_) + to];
      if (!route::take_number(bytes, transition)) return damaged();
      // What may not be is part of the form, not of what was learnt.
      if (!may_follow(from, to, tags_))
        transition = kNever;
      else if (std::abs(transition) > kMostTransition)
        return damaged();
    }
  }
  weights_.assign((std::size_t{1} << bits_) * tags_, 0);
  if (!route::take_numbers(bytes, weights_)) return damaged();
  return {};
}

}  // namespace minimill::distill
