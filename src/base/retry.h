#pragma once

// The one place that says whether an error is worth another try, and when.
//
//   const Backoff backoff(random, {.first = 1s, .longest = 60s});
//   for (int failures = 1;; ++failures) {
//     …
//     if (!is_transient(error.code)) return error;
//     wait(error.retry_after.value_or(backoff.after(failures)));
//   }

#include "base/clock.h"
#include "base/error.h"
#include "base/random.h"

namespace minimill {

/// True where the same call may succeed later with nothing changed but the time: whoever answers is
/// busy, away, slow, or answered nonsense. False where it would be refused again, and for what was
/// cancelled: whoever cancelled it decides.
bool is_transient(ErrorCode code);

struct BackoffRange {
  Millis first{500};
  Millis longest{60'000};
};

/// Exponential back-off with jitter, so that those who failed together do not return together:
/// half of the time is sure, half is drawn ("equal jitter"; Brooker, AWS Architecture Blog, 2015).
class Backoff {
 public:
  /// `random` outlives it.
  Backoff(Random& random, BackoffRange range) : random_(random), range_(range) {}

  /// How long to wait after so many failures in a row, from 1: of `first`, doubled at every further
  /// one up to `longest`, the second half by chance. Longer where `asked` (a Retry-After) says so,
  /// but never over `longest`.
  Millis after(int failures, Millis asked = Millis{0}) const;

 private:
  Random& random_;
  BackoffRange range_;
};

}  // namespace minimill
