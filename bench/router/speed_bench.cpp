// How long a decision, an outcome and the recognition of an operation take, with a hundred
// operations learnt.

#include <benchmark/benchmark.h>

#include <algorithm>
#include <chrono>
#include <string>
#include <vector>

#include "route/router.h"

namespace minimill::route {
namespace {

std::string words(int count, int seed) {
  const std::vector<std::string> kWords{
      "carrier", "pallet",   "invoice", "meeting", "steel", "copy",  "answer", "total",
      "machine", "customer", "each",    "before",  "twice", "hours", "report", "why"};
  std::string text;
  for (int i = 0; i < count; ++i)
    text += kWords[static_cast<std::size_t>(i * 7 + seed * 3 + i / 5) % kWords.size()] + ' ';
  return text;
}

Router learnt_router() {
  Router router;
  for (int i = 0; i < 1000; ++i) {
    RouteInput input;
    input.title = "operation " + std::string(1, static_cast<char>('a' + i % 100 % 26)) +
                  std::string(static_cast<std::size_t>(i % 100 / 26 + 1), 'x');
    input.text = words(80, i);
    router.learn(input, router.recognise(input), i % 3 != 0);
  }
  return router;
}

RouteInput request(std::int64_t count) {
  RouteInput input;
  input.text = words(static_cast<int>(count), 5);
  return input;
}

void decide(benchmark::State& state) {
  const Router router = learnt_router();
  const RouteInput input = request(state.range(0));
  std::vector<double> us;
  for (auto _ : state) {
    const auto from = std::chrono::steady_clock::now();
    benchmark::DoNotOptimize(router.decide(input));
    us.push_back(
        std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - from).count());
  }
  std::ranges::sort(us);
  state.counters["p50_us"] = us[us.size() / 2];
  state.counters["p99_us"] = us[us.size() * 99 / 100];
}
BENCHMARK(decide)->Arg(10)->Arg(100)->Arg(1000);

void learn(benchmark::State& state) {
  Router router = learnt_router();
  const RouteInput input = request(state.range(0));
  bool ok = false;
  for (auto _ : state) router.learn(input, "", ok = !ok);
}
BENCHMARK(learn)->Arg(100)->Arg(1000);

void recognise(benchmark::State& state) {
  Router router = learnt_router();
  const RouteInput input = request(state.range(0));
  for (auto _ : state) benchmark::DoNotOptimize(router.recognise(input));
}
BENCHMARK(recognise)->Arg(1000);

}  // namespace
}  // namespace minimill::route
