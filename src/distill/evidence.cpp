#include "distill/evidence.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <unordered_map>

#include "route/risk_control.h"
#include "route/state_bytes.h"

namespace minimill::distill {
namespace {

constexpr std::size_t kRecent = 40;
constexpr double kTrialFloor = 0.4;  // of the newest, above the trial bar: below it no trial
constexpr std::size_t kTrialLeast = 8;
constexpr double kMostWealth = 1e8;
constexpr double kShareMissed = 0.02;  // of wrong answers a check may let through and be relied on
constexpr std::size_t kSharedOver = 200;
/// Rates that a broken promise may have gone to, in multiples of what was promised.
constexpr std::array<double, 3> kBroken{1.5, 2.5, 5};

/// Right answers in a row that reject "over `most_wrong` are wrong".
std::size_t fewest(const Promise& promise) {
  return static_cast<std::size_t>(
      std::ceil(std::log(1 - promise.confidence) / std::log1p(-promise.most_wrong)));
}

}  // namespace

void Evidence::add(double p_right, bool right, std::uint32_t cluster, std::uint64_t key) {
  predictions_.push_back(
      {.p_right = static_cast<float>(p_right), .right = right, .cluster = cluster, .key = key});
  if (predictions_.size() > kMost) predictions_.pop_front();
  bar_ = -1;
}

void Evidence::tried_check(bool caught) { ++(caught ? caught_ : missed_); }

void Evidence::audit(bool right, const Promise& promise) {
  const double promised = promise.most_wrong;
  double growth = 0;
  for (const double times : kBroken) {
    const double rate = std::min(times * promised, 0.5 * (1 + promised));
    growth += right ? (1 - rate) / (1 - promised) : rate / promised;
  }
  wealth_ = std::min(std::max(wealth_, 1.0) * growth / kBroken.size(), kMostWealth);
  // The bet is taken up anew whenever it has come to nothing, which a change is seen by soon after
  // it; that costs false alarms, for which the bar is ten times as high.
  if (wealth_ >= 10 / (1 - promise.confidence)) broken_ = true;
}

void Evidence::forget() {
  predictions_.clear();
  bar_ = -1;
  wealth_ = 1;
  broken_ = false;
}

std::vector<Evidence::Prediction> Evidence::independent() const {
  std::vector<Prediction> all;
  std::unordered_map<std::uint64_t, std::size_t> places;
  for (const Prediction& each : predictions_) {
    const auto [place, added] = places.try_emplace(each.key, all.size());
    if (added) {
      all.push_back(each);
    } else if (!each.right) {
      all[place->second].right = false;
    }
  }
  return all;
}

double Evidence::proven_bar(const Promise& promise) const {
  if (broken_) return kNone;
  if (bar_ < 0 || bar_of_ != promise) {
    bar_of_ = promise;
    bar_ = compute_bar(promise);
  }
  return bar_;
}

double Evidence::compute_bar(const Promise& promise) const {
  std::vector<Prediction> all = independent();
  std::ranges::sort(all, std::greater{}, &Prediction::p_right);
  double bar = kNone;
  std::size_t wrong = 0;
  // A geometric sequence of bars: each test is of a tenth more predictions than the last.
  std::size_t next = fewest(promise);
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (!all[i].right) ++wrong;
    const std::size_t count = i + 1;
    const bool tied = count < all.size() && all[count].p_right == all[i].p_right;
    if (count < next || tied) continue;
    if (route::binomial_tail(wrong, count, promise.most_wrong) > 1 - promise.confidence) break;
    bar = all[i].p_right;
    next = count + std::max<std::size_t>(1, count / 10);
  }
  return bar;
}

bool Evidence::is_worse(std::uint32_t cluster, double bar, const Promise& promise) const {
  std::size_t count = 0;
  std::size_t right = 0;
  for (const Prediction& each : predictions_) {
    if (each.cluster != cluster || each.p_right < bar) continue;
    ++count;
    if (each.right) ++right;
  }
  // P(at most so many right, were the promise kept).
  return count > right &&
         route::binomial_tail(right, count, 1 - promise.most_wrong) < 1 - promise.confidence;
}

double Evidence::trial_bar(std::size_t examples) const {
  if (examples < kTrialExamples || caught_ < kChecksCaught ||
      missed_ > kShareMissed * (caught_ + missed_)) {
    return kNone;
  }
  std::size_t count = 0;
  std::size_t right = 0;
  for (auto each = predictions_.rbegin(); each != predictions_.rend() && count < kRecent; ++each) {
    if (each->p_right < kTrialBar) continue;
    ++count;
    if (each->right) ++right;
  }
  const bool bad =
      count >= kTrialLeast && static_cast<double>(right) < kTrialFloor * static_cast<double>(count);
  return bad ? kNone : kTrialBar;
}

std::size_t Evidence::missing(const Promise& promise) const {
  const std::size_t needed = fewest(promise);
  const std::size_t have = independent().size();
  return needed > have ? needed - have : 0;
}

double Evidence::share_right() const {
  std::size_t count = 0;
  std::size_t right = 0;
  for (auto each = predictions_.rbegin(); each != predictions_.rend() && count < kSharedOver;
       ++each) {
    ++count;
    if (each->right) ++right;
  }
  return count == 0 ? 0 : static_cast<double>(right) / static_cast<double>(count);
}

void Evidence::append_state(std::string& out) const {
  route::append_number(out, caught_);
  route::append_number(out, missed_);
  route::append_number(out, wealth_);
  route::append_number(out, static_cast<std::uint8_t>(broken_));
  route::append_number(out, static_cast<std::uint32_t>(predictions_.size()));
  for (const Prediction& each : predictions_) {
    route::append_number(out, each.p_right);
    route::append_number(out, static_cast<std::uint8_t>(each.right));
    route::append_number(out, each.cluster);
    out.append(reinterpret_cast<const char*>(&each.key), sizeof each.key);
  }
}

Result<> Evidence::take_state(std::string_view& bytes) {
  std::uint8_t broken = 0;
  std::uint32_t count = 0;
  bool whole = route::take_number(bytes, caught_) && route::take_number(bytes, missed_) &&
               route::take_number(bytes, wealth_) && wealth_ >= 0 &&
               route::take_number(bytes, broken) && broken <= 1 &&
               route::take_number(bytes, count) && count <= kMost;
  broken_ = broken == 1;
  for (std::uint32_t i = 0; whole && i < count; ++i) {
    Prediction each;
    std::uint8_t right = 0;
    whole = route::take_number(bytes, each.p_right) && route::take_number(bytes, right) &&
            right <= 1 && route::take_number(bytes, each.cluster) &&
            bytes.size() >= sizeof each.key;
    if (!whole) break;
    each.right = right == 1;
    bytes.copy(reinterpret_cast<char*>(&each.key), sizeof each.key);
    bytes.remove_prefix(sizeof each.key);
    predictions_.push_back(each);
  }
  if (whole) return {};
  return fail(ErrorCode::kCorrupt, "the evidence is damaged");
}

}  // namespace minimill::distill
