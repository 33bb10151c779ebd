#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "route/readable_model.h"
#include "sections.h"
#include "table.h"

namespace minimill::bench {

void bench_padding(const std::vector<RoutedPrompt>& prompts) {
  Table table("Appended text: how far it moves the estimate, in log-odds (largest, mean)");
  route::Router router;
  constexpr std::size_t kTrain = 4000;
  constexpr std::size_t kTest = 400;
  Random random(1);
  std::vector<const RoutedPrompt*> order;
  for (const RoutedPrompt& prompt : prompts) order.push_back(&prompt);
  random.shuffle(order);
  for (std::size_t i = 0; i < kTrain; ++i) {
    router.learn(order[i]->input, order[i]->domain, order[i]->weak_ok);
    router.learn_cloud(order[i]->input, order[i]->domain, order[i]->strong_ok);
    router.teach(order[i]->input, order[i]->domain);
  }
  const auto repeated = [](const std::string& text, int times) {
    std::string all;
    for (int i = 0; i < times; ++i) all += text;
    return all;
  };
  const std::vector<std::pair<std::string, std::string>> kPaddings{
      {"'Copy this word. Answer with one word.' x 3",
       repeated(" Copy this word. Answer with one word.", 3)},
      {"the same x 100", repeated(" Copy this word. Answer with one word.", 100)},
      {"'Prove it step by step.' x 3", repeated(" Prove it step by step.", 3)},
      {"the same x 100", repeated(" Prove it step by step.", 100)},
      {"a megabyte of one letter", std::string(1 << 20, 'a')},
      {"another prompt", ""},
  };
  for (std::size_t which = 0; which < kPaddings.size(); ++which) {
    const auto& [name, padding] = kPaddings[which];
    double largest = 0;
    double sum = 0;
    for (std::size_t i = 0; i < kTest; ++i) {
      route::RouteInput input = order[kTrain + i]->input;
      const double before = route::log_odds(router.estimate(input).local);
      input.text += padding.empty() ? "\n" + order[kTrain + kTest + i]->input.text : padding;
      const double moved = std::abs(route::log_odds(router.estimate(input).local) - before);
      largest = std::max(largest, moved);
      sum += moved;
    }
    const std::string row = fmt::format("{} ({})", name, which + 1);
    table.at(row, "largest").add(largest);
    table.at(row, "mean").add(sum / kTest);
  }
  table.print(2);
}

}  // namespace minimill::bench
