#include "engine/residency.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <set>
#include <string_view>
#include <utility>

namespace minimill::engine {
namespace {

constexpr double kGigabyte = 1e9;

double gigabytes(std::uint64_t bytes) { return static_cast<double>(bytes) / kGigabyte; }

bool fits(std::span<const Resident> residents, const Resident& newcomer,
          const ResidencyLimits& limits) {
  std::vector<Resident> all(residents.begin(), residents.end());
  all.push_back(newcomer);
  return std::cmp_less_equal(all.size(), limits.engines) &&
         (limits.memory == 0 || memory_of(all) <= limits.memory);
}

std::unexpected<Error> too_big(const std::string& name, const EngineNeed& need,
                               std::uint64_t memory) {
  return fail(
      ErrorCode::kUnsupported,
      fmt::format("{} does not fit: it takes {:.1f} GB ({:.1f} of weights, {:.1f} of context), and "
                  "{:.1f} GB may be taken by models",
                  name, gigabytes(need.weights + need.kv_cache), gigabytes(need.weights),
                  gigabytes(need.kv_cache), gigabytes(memory)),
      need.kv_cache > need.weights
          ? "lower [local] context_tokens or slots, or raise [local] memory"
          : "take a smaller model or a smaller quantization of it, or raise [local] memory");
}

std::unexpected<Error> all_busy(const std::string& name, std::span<const Resident> busy,
                                const ResidencyLimits& limits) {
  std::vector<std::string_view> names;
  for (const Resident& each : busy) names.push_back(each.name);
  return fail(ErrorCode::kUnavailable,
              fmt::format("there is no room for {} while {} {} at work", name,
                          fmt::join(names, ", "), names.size() == 1 ? "is" : "are"),
              std::cmp_greater_equal(busy.size(), limits.engines)
                  ? "send the request again in a while, or raise [local] max_engines"
                  : "send the request again in a while, or raise [local] memory");
}

}  // namespace

std::uint64_t memory_of(std::span<const Resident> residents) {
  std::set<std::string_view> files;
  std::uint64_t sum = 0;
  for (const Resident& each : residents) {
    if (files.insert(each.need.file).second) sum += each.need.weights;
    sum += each.need.kv_cache;
  }
  return sum;
}

Result<std::vector<std::string>> make_room(const std::string& name, const EngineNeed& need,
                                           std::span<const Resident> residents,
                                           const ResidencyLimits& limits) {
  const Resident newcomer{.id = {}, .name = name, .need = need};
  if (!fits({}, newcomer, limits)) return too_big(name, need, limits.memory);
  // The busy ones first, then the idle ones, the most recently used first: whoever is last goes.
  std::vector<Resident> stay(residents.begin(), residents.end());
  std::ranges::sort(stay, [](const Resident& a, const Resident& b) {
    return std::pair(a.idle, b.last_used) < std::pair(b.idle, a.last_used);
  });
  std::vector<std::string> go;
  while (!fits(stay, newcomer, limits)) {
    if (!stay.back().idle) return all_busy(name, stay, limits);
    go.push_back(std::move(stay.back().id));
    stay.pop_back();
  }
  // Stopping one may have made up for another: a big one for a small one that went before it.
  const auto needed = [&](const std::string& each) {
    std::vector<Resident> with = stay;
    const auto back = std::ranges::find(residents, each, &Resident::id);
    with.push_back(*back);
    if (!fits(with, newcomer, limits)) return true;
    stay = std::move(with);
    return false;
  };
  std::erase_if(go, [&](const std::string& each) { return !needed(each); });
  return go;
}

}  // namespace minimill::engine
