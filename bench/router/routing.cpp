#include <fmt/format.h>

#include <functional>
#include <set>

#include "peers.h"
#include "route/routing_metrics.h"
#include "sections.h"
#include "table.h"

namespace minimill::bench {
namespace {

using Indices = std::vector<std::size_t>;

struct Split {
  Indices train;
  Indices test;
};

class RoutingBench {
 public:
  explicit RoutingBench(const std::vector<RoutedPrompt>& prompts) : prompts_(prompts) {
    for (const RoutedPrompt& prompt : prompts) {
      features_.push_back(route::extract_features(prompt.input));
    }
  }

  void run(const Split& split, const std::string& row, Table& apgr, Table& more) const {
    const std::vector<route::Routed> ours = routed_by_router(split);
    const route::RoutingMetrics metrics = route::routing_metrics(ours);
    apgr.at(row, "minimill").add(metrics.apgr);
    more.at(row, "CPT(50 %)").add(metrics.cpt50);
    more.at(row, "CPT(80 %)").add(metrics.cpt80);
    more.at(row, "calibration").add(metrics.calibration_error);

    std::vector<const route::Features*> train;
    for (const std::size_t i : split.train) train.push_back(&features_[i]);
    const TextSpace space(train);
    std::vector<SparseText> texts;
    std::vector<double> gains;
    for (const std::size_t i : split.train) {
      texts.push_back(space.of(features_[i]));
      gains.push_back((prompts_[i].strong_ok ? 1.0 : 0.0) - (prompts_[i].weak_ok ? 1.0 : 0.0));
    }
    constexpr double kPenalty = 10;
    constexpr std::size_t kNeighbours = 40;
    const Ridge ridge(texts, gains, kPenalty);
    const Neighbours neighbours(std::move(texts), std::move(gains), kNeighbours);
    std::vector<route::Routed> by_ridge;
    std::vector<route::Routed> by_neighbours;
    for (const std::size_t i : split.test) {
      const SparseText text = space.of(features_[i]);
      by_ridge.push_back(judged(i, ridge.score(text)));
      by_neighbours.push_back(judged(i, neighbours.score(text)));
    }
    apgr.at(row, "ridge").add(route::routing_metrics(by_ridge).apgr);
    apgr.at(row, "40 nearest").add(route::routing_metrics(by_neighbours).apgr);
  }

 private:
  route::Routed judged(std::size_t i, double score) const {
    return {.score = score,
            .p_local = 0,
            .local_ok = prompts_[i].weak_ok,
            .cloud_ok = prompts_[i].strong_ok};
  }

  /// One pass over the training prompts, each met as it would be in use: estimated, then learnt.
  std::vector<route::Routed> routed_by_router(const Split& split) const {
    route::Router router;
    for (const std::size_t i : split.train) {
      const RoutedPrompt& prompt = prompts_[i];
      router.learn(prompt.input, prompt.domain, prompt.weak_ok);
      router.learn_cloud(prompt.input, prompt.domain, prompt.strong_ok);
      router.teach(prompt.input, prompt.domain);
    }
    std::vector<route::Routed> routed;
    for (const std::size_t i : split.test) {
      const route::Estimate estimate = router.estimate(prompts_[i].input);
      route::Routed each = judged(i, estimate.cloud - estimate.local);
      each.p_local = estimate.local;
      routed.push_back(each);
    }
    return routed;
  }

  const std::vector<RoutedPrompt>& prompts_;
  std::vector<route::Features> features_;
};

constexpr std::size_t kFolds = 5;

Split split_by(const Indices& all, const std::function<bool(std::size_t)>& is_test) {
  Split split;
  for (std::size_t place = 0; place < all.size(); ++place) {
    (is_test(place) ? split.test : split.train).push_back(all[place]);
  }
  return split;
}

}  // namespace

void bench_routing(const std::vector<RoutedPrompt>& prompts, int seeds) {
  Table apgr("APGR (0.5: chance), mean ± deviation over folds and seeds");
  Table more("What must go out to recover the gap, and the calibration error of P(local is right)");
  const RoutingBench bench(prompts);
  Indices mmlu;
  Indices gsm8k;
  std::set<std::string> domain_names;
  for (std::size_t i = 0; i < prompts.size(); ++i) {
    (prompts[i].set == "gsm8k" ? gsm8k : mmlu).push_back(i);
    if (prompts[i].set != "gsm8k") domain_names.insert(prompts[i].domain);
  }
  for (int seed = 0; seed < seeds; ++seed) {
    Random random(static_cast<std::uint64_t>(seed) + 1);
    Indices all = mmlu;
    random.shuffle(all);
    std::vector<std::string> domains(domain_names.begin(), domain_names.end());
    random.shuffle(domains);
    for (std::size_t fold = 0; fold < kFolds; ++fold) {
      Split split = split_by(all, [fold](std::size_t place) { return place % kFolds == fold; });
      bench.run(split, "MMLU, 5-fold", apgr, more);
      constexpr std::size_t kFew = 1500;
      split.train.resize(std::min(kFew, split.train.size()));
      bench.run(split, "MMLU, 1,500 labels", apgr, more);
      std::set<std::string> unseen;
      for (std::size_t i = fold; i < domains.size(); i += kFolds) unseen.insert(domains[i]);
      split = split_by(
          all, [&](std::size_t place) { return unseen.contains(prompts[all[place]].domain); });
      bench.run(split, "MMLU, unseen domains", apgr, more);
    }
    fmt::print(stderr, "routing: {} of {} seeds\n", seed + 1, seeds);
  }
  constexpr int kSplits = 20;
  for (int seed = 0; seed < kSplits; ++seed) {
    Random random(static_cast<std::uint64_t>(seed) + 1000);
    Indices all = gsm8k;
    random.shuffle(all);
    bench.run(split_by(all, [](std::size_t place) { return place % kFolds == 0; }),
              "GSM8K, 20 splits", apgr, more);
  }
  apgr.print();
  more.print();
}

}  // namespace minimill::bench
