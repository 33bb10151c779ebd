#pragma once

// The parts of `make bench-router`; each prints its tables.

#include <vector>

#include "data.h"

namespace minimill::bench {

/// APGR, CPT and calibration on MMLU and GSM8K, beside ridge regression and nearest neighbours on
/// the same splits.
void bench_routing(const std::vector<RoutedPrompt>& prompts, int seeds);
/// One pass in which labels come only for what was tried.
void bench_online(const std::vector<RoutedPrompt>& prompts, int seeds);
/// Accuracy within the known intents, and recall of what is none of them.
void bench_intents(const Intents& intents, int seeds);
/// A month of drifting traffic: how often is the promised quality broken, and what does it buy?
void bench_bound(int seeds);
/// How far can text that is appended to a prompt move the estimate?
void bench_padding(const std::vector<RoutedPrompt>& prompts);

}  // namespace minimill::bench
