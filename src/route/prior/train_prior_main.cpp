// train_prior PROMPTS OUTPUT: fits the router's prior to labelled prompts and writes the numbers
// that ship. Logistic regression on the dense features alone, ridge-regularised, by gradient
// descent from nought: the same prompts give the same numbers.

#include <fmt/format.h>

#include <fstream>
#include <iostream>

#include "route/prior/fit_prior.h"

int main(int argc, char** argv) {
  if (argc != 3) {
    std::cerr << "usage: train_prior PROMPTS.jsonl OUTPUT.inc\n";
    return 2;
  }
  const auto examples = minimill::route::read_examples(argv[1]);
  if (!examples) {
    std::cerr << "train_prior: " << examples.error().to_string() << '\n';
    return 1;
  }
  std::ofstream out(argv[2], std::ios::trunc);
  out << minimill::route::prior_source(minimill::route::fit_prior(*examples));
  out.close();
  return out ? 0 : 1;
}
