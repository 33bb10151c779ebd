// However a stream of server-sent events is cut into pieces, it gives the same events. The first
// bytes of the input say where to cut, the rest is the stream.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>
#include <vector>

#include "http/sse_reader.h"

namespace {

using minimill::http::SseEvent;
using minimill::http::SseReader;

struct Outcome {
  std::vector<SseEvent> events;
  bool good = true;
  bool pending = false;
  bool operator==(const Outcome&) const = default;
};

/// Pieces of the lengths that `cuts` says, over and over; all in one where it says nothing.
Outcome read(std::string_view stream, std::string_view cuts) {
  SseReader reader;
  Outcome outcome;
  for (std::size_t turn = 0; !stream.empty() && outcome.good; ++turn) {
    const std::size_t wanted =
        cuts.empty() ? stream.size() : static_cast<unsigned char>(cuts[turn % cuts.size()]);
    const std::size_t size = std::clamp<std::size_t>(wanted, 1, stream.size());
    outcome.good = reader.feed(stream.substr(0, size)).has_value();
    stream.remove_prefix(size);
    while (auto event = reader.next()) outcome.events.push_back(std::move(*event));
  }
  outcome.pending = reader.pending();
  return outcome;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  constexpr std::size_t kCuts = 4;
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  if (input.size() < kCuts) return 0;
  const std::string_view stream = input.substr(kCuts);
  const Outcome whole = read(stream, {});
  if (read(stream, input.substr(0, kCuts)) != whole) std::abort();
  if (read(stream, std::string_view("\x01", 1)) != whole) std::abort();
  return 0;
}
