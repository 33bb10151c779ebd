#pragma once

// Fitting the router's prior to labelled prompts; used by train_prior and by the test that the
// numbers in the source tree are what it gives.

#include <string>
#include <vector>

#include "base/error.h"
#include "route/readable_model.h"

namespace minimill::route {

struct Example {
  Features features;
  bool local_ok = false;
};

/// Lines of {"prompt": "…", "local_ok": true}.
Result<std::vector<Example>> read_examples(const std::string& path);

Prior fit_prior(const std::vector<Example>& examples);
double prior_score(const Prior& prior, const Features& features);

/// The initialisers that difficulty_model.cpp includes.
std::string prior_source(const Prior& prior);

}  // namespace minimill::route
