#include <fmt/format.h>

#include "sections.h"
#include "table.h"

namespace minimill::bench {

void bench_online(const std::vector<RoutedPrompt>& prompts, int seeds) {
  Table table("One pass, labels only for what was tried (share of right answers, share local)");
  for (int seed = 0; seed < seeds; ++seed) {
    Random random(static_cast<std::uint64_t>(seed) + 1);
    std::vector<const RoutedPrompt*> order;
    for (const RoutedPrompt& prompt : prompts) order.push_back(&prompt);
    random.shuffle(order);
    double weak = 0;
    double strong = 0;
    for (const RoutedPrompt* prompt : order) {
      weak += prompt->weak_ok ? 1 : 0;
      strong += prompt->strong_ok ? 1 : 0;
    }
    const auto count = static_cast<double>(order.size());
    for (const double bar : {0.75, 0.8, 0.85, 0.9}) {
      route::Router router;
      double local = 0;
      double right = 0;
      for (const RoutedPrompt* prompt : order) {
        const bool stays = router.estimate(prompt->input).good_enough >= bar;
        local += stays ? 1 : 0;
        right += (stays ? prompt->weak_ok : prompt->strong_ok) ? 1 : 0;
        // A twentieth is answered by both lanes.
        const bool compared = random.chance(0.05);
        if (stays || compared) router.learn(prompt->input, prompt->domain, prompt->weak_ok);
        if (!stays || compared) {
          router.learn_cloud(prompt->input, prompt->domain, prompt->strong_ok);
        }
        router.teach(prompt->input, prompt->domain);
      }
      const std::string row = fmt::format("bar {:.0f} %", 100 * bar);
      table.at(row, "local").add(local / count);
      table.at(row, "right").add(right / count);
      // What sending the same share out at random would give.
      table.at(row, "right at random")
          .add((weak * local / count + strong * (1 - local / count)) / count);
    }
    table.at("all on the device", "right").add(weak / count);
    table.at("all to the cloud", "right").add(strong / count);
  }
  table.print();
}

}  // namespace minimill::bench
