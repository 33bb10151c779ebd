#include "route/nearest.h"

#include <algorithm>
#include <cmath>

#include "route/state_bytes.h"

namespace minimill::route {
namespace {

constexpr float kFull = 127;

std::int32_t product(const Sketch& a, const Sketch& b) {
  std::int32_t sum = 0;
  for (std::size_t i = 0; i < kSketchSize; ++i) {
    sum += static_cast<std::int16_t>(a[i]) * static_cast<std::int16_t>(b[i]);
  }
  return sum;
}

float length_of(const Sketch& sketch) {
  return std::sqrt(static_cast<float>(product(sketch, sketch))) + 1e-6F;
}

}  // namespace

Sketch sketch_of(std::span<const Term> terms) {
  std::array<float, kSketchSize> sums{};
  for (const Term& term : terms) {
    const std::uint32_t hash = term.bucket * 0x9E3779B1U;
    sums[(hash >> 8) % kSketchSize] += (hash >> 31) != 0 ? term.value : -term.value;
  }
  float most = 1e-6F;
  for (const float each : sums) most = std::max(most, std::abs(each));
  Sketch sketch{};
  for (std::size_t i = 0; i < kSketchSize; ++i) {
    sketch[i] = static_cast<std::int8_t>(std::lround(sums[i] / most * kFull));
  }
  return sketch;
}

float cosine(const Sketch& a, const Sketch& b) {
  return static_cast<float>(product(a, b)) / (length_of(a) * length_of(b));
}

Nearest::Found Nearest::find(const Sketch& sketch) const {
  Found found;
  const float length = length_of(sketch);
  for (const Work& work : works_) {
    const float cosine = static_cast<float>(product(sketch, work.sketch)) / (length * work.length);
    if (cosine < kAlike) continue;
    const double weight = (cosine - kAlike) / (1 - kAlike);
    (work.good ? found.good : found.bad) += weight;
    ++found.alike;
    found.alike_good += work.good ? 1 : 0;
  }
  return found;
}

void Nearest::add(const Sketch& sketch, bool good) {
  const Work work{.sketch = sketch, .length = length_of(sketch), .good = good};
  if (works_.size() < kMost) {
    works_.push_back(work);
  } else {
    works_[next_] = work;
    next_ = (next_ + 1) % kMost;
  }
}

void Nearest::append_state(std::string& out) const {
  append_number(out, static_cast<std::uint32_t>(works_.size()));
  append_number(out, static_cast<std::uint32_t>(next_));
  for (const Work& work : works_) {
    out.append(reinterpret_cast<const char*>(work.sketch.data()), kSketchSize);
    append_number(out, static_cast<std::uint8_t>(work.good));
  }
}

Result<> Nearest::take_state(std::string_view& bytes) {
  std::uint32_t count = 0;
  std::uint32_t next = 0;
  bool whole = take_number(bytes, count) && take_number(bytes, next) && count <= kMost &&
               next < kMost && (next == 0 || count == kMost);
  next_ = next;
  for (std::uint32_t i = 0; whole && i < count; ++i) {
    Work work;
    std::uint8_t good = 0;
    whole = bytes.size() >= kSketchSize;
    if (!whole) break;
    bytes.copy(reinterpret_cast<char*>(work.sketch.data()), kSketchSize);
    bytes.remove_prefix(kSketchSize);
    whole = take_number(bytes, good) && good <= 1;
    work.good = good != 0;
    work.length = length_of(work.sketch);
    works_.push_back(work);
  }
  if (whole) return {};
  return fail(ErrorCode::kCorrupt, "the requests remembered are damaged");
}

}  // namespace minimill::route
