#include "route/operations.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/json.h"

namespace minimill::route {
namespace {

constexpr std::size_t kCentroidSize = 256;
constexpr float kForgetting = 0.9F;          // of the centroid, per work
constexpr double kOutcomeForgetting = 0.95;  // of the counts, per outcome: the last twenty matter
constexpr float kResembles = 0.75F;          // least cosine to be one of them
constexpr std::size_t kMaxSlugBytes = 64;

std::vector<float> bag_of(const Features& features) {
  std::vector<float> bag(kCentroidSize);
  for (const std::uint32_t word : features.words) bag[word % kCentroidSize] += 1;
  float squares = 0;
  for (float& each : bag) {
    each = std::log1p(each);
    squares += each * each;
  }
  const float length = std::sqrt(squares) + 1e-6F;
  for (float& each : bag) each /= length;
  return bag;
}

float length_of(const std::vector<float>& vector) {
  float squares = 0;
  for (const float each : vector) squares += each * each;
  return std::sqrt(squares) + 1e-6F;
}

float dot(const std::vector<float>& a, const std::vector<float>& b) {
  // Four sums at once: the compiler may not reorder additions of one.
  std::array<float, 4> sums{};
  for (std::size_t i = 0; i < kCentroidSize; i += sums.size()) {
    for (std::size_t j = 0; j < sums.size(); ++j) sums[j] += a[i + j] * b[i + j];
  }
  return sums[0] + sums[1] + sums[2] + sums[3];
}

}  // namespace

std::uint32_t fingerprint(const Features& features) {
  std::uint32_t hash = 2166136261U;  // FNV-1a, a word at a time
  for (const std::uint32_t word : features.words) hash = (hash ^ word) * 16777619U;
  return std::max(hash, 1U);
}

std::string operation_slug(std::string_view title) {
  std::string slug;
  for (const char c : title) {
    const char small = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
    const bool letter =
        (small >= 'a' && small <= 'z') || (static_cast<unsigned char>(c) & 0x80U) != 0;
    if (letter) {
      slug += small;
    } else if (!slug.empty() && slug.back() != '-') {
      slug += '-';
    }
    if (slug.size() >= kMaxSlugBytes) break;
  }
  while (slug.ends_with('-')) slug.pop_back();
  return slug;
}

std::string Operations::find(const RouteInput& input, const Features& features) const {
  if (!input.title.empty()) {
    std::string slug = operation_slug(input.title);
    return operations_.contains(slug) ? slug : std::string{};
  }
  if (operations_.empty() || features.words.empty()) return {};
  const std::vector<float> bag = bag_of(features);
  const std::string* best = nullptr;
  float best_cosine = kResembles;
  for (const auto& [slug, operation] : operations_) {
    const float similar = dot(bag, operation.centroid) / operation.centroid_length;
    if (similar < best_cosine) continue;
    best_cosine = similar;
    best = &slug;
  }
  return best == nullptr ? std::string{} : *best;
}

std::string Operations::remember(const RouteInput& input, const Features& features) {
  std::string slug = find(input, features);
  if (slug.empty()) slug = operation_slug(input.title);
  if (slug.empty()) return slug;
  ++works_;
  auto found = operations_.find(slug);
  if (found == operations_.end()) {
    make_room();
    found = operations_.emplace(slug, Operation{}).first;
    found->second.title = input.title;
    found->second.centroid.resize(kCentroidSize);
  }
  Operation& operation = found->second;
  ++operation.seen;
  ++operation.since_tried;
  operation.last_seen = works_;
  if (operation.since_tried % kExploreAfter == 0) operation.trial = fingerprint(features);
  const std::vector<float> bag = bag_of(features);
  for (std::size_t i = 0; i < kCentroidSize; ++i) {
    operation.centroid[i] = kForgetting * operation.centroid[i] + (1 - kForgetting) * bag[i];
  }
  operation.centroid_length = length_of(operation.centroid);
  return slug;
}

void Operations::make_room() {
  if (operations_.size() < kMaxOperations) return;
  operations_.erase(std::ranges::min_element(
      operations_, {}, [](const auto& entry) { return entry.second.last_seen; }));
}

void Operations::learn(std::string_view slug, bool local_ok, double weight) {
  const auto found = operations_.find(slug);
  if (found == operations_.end()) return;
  Operation& operation = found->second;
  operation.local_ok = kOutcomeForgetting * operation.local_ok + (local_ok ? weight : 0);
  operation.local_failed = kOutcomeForgetting * operation.local_failed + (local_ok ? 0 : weight);
  operation.since_tried = 0;
  operation.trial = 0;
}

const Operations::Operation* Operations::get(std::string_view slug) const {
  const auto found = operations_.find(slug);
  return found == operations_.end() ? nullptr : &found->second;
}

void Operations::append_state(std::string& out) const {
  json::array listed;
  for (const auto& [slug, operation] : operations_) {
    json::array centroid(operation.centroid.begin(), operation.centroid.end());
    listed.push_back({{"slug", slug},
                      {"title", operation.title},
                      {"seen", operation.seen},
                      {"last_seen", operation.last_seen},
                      {"since_tried", operation.since_tried},
                      {"trial", operation.trial},
                      {"local_ok", operation.local_ok},
                      {"local_failed", operation.local_failed},
                      {"centroid", std::move(centroid)}});
  }
  out += json::serialize(json::object{{"works", works_}, {"operations", std::move(listed)}});
}

Result<> Operations::take_state(std::string_view& bytes) {
  const Result<json::object> parsed = parse_json_object(bytes);
  bytes = {};
  if (!parsed) return fail(ErrorCode::kCorrupt, "the list of operations is damaged");
  Fields fields(*parsed);
  works_ = fields.optional_integer("works", 0).value_or(0);
  const json::array* listed = fields.optional_array("operations");
  if (!fields.ok() || listed == nullptr || listed->size() > kMaxOperations) {
    return fail(ErrorCode::kCorrupt, "the list of operations is damaged");
  }
  for (const json::value& each : *listed) {
    if (!each.is_object()) return fail(ErrorCode::kCorrupt, "the list of operations is damaged");
    Fields of(each.get_object());
    Operation operation;
    operation.title = of.required_string("title");
    operation.seen = of.optional_integer("seen", 0).value_or(0);
    operation.last_seen = of.optional_integer("last_seen", 0).value_or(0);
    operation.since_tried = of.optional_integer("since_tried", 0).value_or(0);
    operation.trial = static_cast<std::uint32_t>(of.optional_integer("trial", 0).value_or(0));
    operation.local_ok = of.number_or("local_ok", 0, 0, 1e6);
    operation.local_failed = of.number_or("local_failed", 0, 0, 1e6);
    const json::array* centroid = of.optional_array("centroid");
    const std::string slug = of.required_string("slug");
    if (!of.ok() || centroid == nullptr || centroid->size() != kCentroidSize) {
      return fail(ErrorCode::kCorrupt, fmt::format("the operation '{}' is damaged", slug));
    }
    for (const json::value& number : *centroid) {
      operation.centroid.push_back(number.is_number() ? number.to_number<float>() : 0.0F);
    }
    operation.centroid_length = length_of(operation.centroid);
    operations_.emplace(slug, std::move(operation));
  }
  return {};
}

}  // namespace minimill::route
