// router_quality [SECTION…]: how good the router is, on the shared data. Without arguments all
// sections. MINIMILL_DATA names the data's folder; MINIMILL_SEEDS (3) how many seeds.

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <string>
#include <vector>

#include "sections.h"

int main(int argc, char** argv) {
  using namespace minimill;
  const std::vector<std::string> wanted(argv + 1, argv + argc);
  const auto wants = [&wanted](std::string_view section) {
    return wanted.empty() || std::ranges::find(wanted, section) != wanted.end();
  };
  const char* folder = std::getenv("MINIMILL_DATA");
  const char* given = std::getenv("MINIMILL_SEEDS");
  const int seeds = std::max(1, given != nullptr ? std::atoi(given) : 3);
  const std::string data = folder != nullptr ? folder : "../shared/data";
  bool all_there = true;
  const auto absent = [&all_there](const Error& error) {
    fmt::print(stderr, "left out: {}\n", error.to_string());
    all_there = false;
  };
  if (wants("routing") || wants("online") || wants("padding")) {
    const auto prompts = bench::read_prompts(data);
    if (!prompts) absent(prompts.error());
    if (prompts && wants("routing")) bench::bench_routing(*prompts, seeds);
    if (prompts && wants("online")) bench::bench_online(*prompts, seeds);
    if (prompts && wants("padding")) bench::bench_padding(*prompts);
  }
  if (wants("intents")) {
    const auto intents = bench::read_intents(data);
    if (!intents) absent(intents.error());
    if (intents) bench::bench_intents(*intents, seeds);
  }
  constexpr int kBoundRuns = 200;
  if (wants("bound")) bench::bench_bound(given != nullptr ? seeds : kBoundRuns);
  return all_there ? 0 : 1;
}
