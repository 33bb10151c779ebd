#pragma once

// Tells what is learnt from (learn::Outcomes) what became of requests.

#include "learn/outcomes.h"
#include "serve/observer.h"

namespace minimill::serve {

class Learning final : public Observer {
 public:
  explicit Learning(learn::Outcomes& outcomes) : outcomes_(outcomes) {}

  void decided(const Observed& request) override;
  void judged(const Observed& request, const Judged& judged) override;
  void answered(const Observed& request, const chat::ChatAnswer& answer,
                std::optional<double> mean_logprob) override;

 private:
  learn::Outcomes& outcomes_;
};

}  // namespace minimill::serve
