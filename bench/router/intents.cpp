#include <fmt/format.h>

#include <chrono>

#include "sections.h"
#include "table.h"

namespace minimill::bench {
namespace {

double micros_since(std::chrono::steady_clock::time_point from, std::size_t count) {
  const auto took = std::chrono::steady_clock::now() - from;
  return std::chrono::duration<double, std::micro>(took).count() / static_cast<double>(count);
}

void measure(const route::Router& router, const Intents& intents, const std::string& row,
             Table& table) {
  std::size_t right = 0;
  std::size_t refused = 0;
  const auto from = std::chrono::steady_clock::now();
  for (const Utterance& each : intents.val) {
    right += router.operation_of(each.input) == route::operation_slug(each.intent) ? 1 : 0;
  }
  table.at(row, "µs each").add(micros_since(from, intents.val.size()));
  for (const Utterance& each : intents.oos_val) {
    refused += router.operation_of(each.input).empty() ? 1 : 0;
  }
  table.at(row, "in scope")
      .add(static_cast<double>(right) / static_cast<double>(intents.val.size()));
  table.at(row, "out of scope")
      .add(static_cast<double>(refused) / static_cast<double>(intents.oos_val.size()));
  table.at(row, "state, MB").add(static_cast<double>(router.save().size()) / 1e6);
}

}  // namespace

void bench_intents(const Intents& intents, int seeds) {
  Table table(
      "CLINC150: recognised as what they are; out of scope and called unknown (without any "
      "pretrained model)");
  constexpr int kPasses = 3;
  for (int seed = 0; seed < seeds; ++seed) {
    Random random(static_cast<std::uint64_t>(seed) + 1);
    std::vector<const Utterance*> order;
    for (const Utterance& each : intents.train) order.push_back(&each);
    for (const Utterance& each : intents.oos_train) order.push_back(&each);
    route::Router router;
    for (int pass = 1; pass <= kPasses; ++pass) {
      random.shuffle(order);
      for (const Utterance* each : order) {
        if (each->intent == intents.oos_train.front().intent) {
          router.teach_unknown(each->input);
        } else {
          router.teach(each->input, each->intent, pass == 1);
        }
      }
      if (pass == 1 || pass == kPasses) {
        measure(router, intents, fmt::format("100 examples each, {} passes", pass), table);
      }
    }
    constexpr std::size_t kHandful = 10;
    route::Router few;
    std::map<std::string, std::size_t> taken;
    for (const Utterance* each : order) {
      if (each->intent == intents.oos_train.front().intent) continue;
      if (++taken[each->intent] <= kHandful) few.teach(each->input, each->intent);
    }
    measure(few, intents, "10 examples each, one pass", table);
  }
  table.print();
}

}  // namespace minimill::bench
