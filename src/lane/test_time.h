#pragma once

// What a lane's services show of its predictions, at once: a job that has outlasted its prediction
// is evidence while it runs, not only when it ends (a censored observation).
//
// Each service is taken to have a constant hazard, and the lane a common factor by which services
// are longer than predicted. Its estimate is the total time on test over what was expected of those
// that ended (Epstein and Sobel, Life Testing, JASA 1953; with a gamma prior):
//
//     factor = (prior + seconds in service, running ones included)
//              / (prior + predicted seconds of those that have ended)
//
// Nothing seen: 1. A prediction that rests on few services is believed less in two ways: its prior
// is worth less, and the rest of a running one grows faster with the time it has run (the residual
// of the Lomax distribution that the same prior gives a single service).
//
// Pure, and O(1): between events everything grows linearly with time.

namespace minimill::lane {

struct Prediction {
  double service_s = 1;
  double trust = 2;  // how many services that went as predicted it is worth; see trust_in()
};

/// Of a prediction that rests on so many services that have ended. Services of language models are
/// so spread that no number of them makes the next one certain.
double trust_in(int observed);

class TimeOnTest {
 public:
  void start(const Prediction& prediction, double now_s);
  /// `whole`: it ended by itself. One that was cut short was in service all the same.
  void finish(const Prediction& prediction, double started_s, bool whole, double now_s);

  /// By how much longer than predicted services take; within 1/30 and 30.
  double factor(double now_s) const;
  /// How long those in service will go on, together.
  double rest_s(double now_s) const;

 private:
  double in_service_s(double now_s) const { return in_service_s_ + running_ * (now_s - at_s_); }

  // Those that run.
  int running_ = 0;
  double predicted_s_ = 0;
  double prior_s_ = 0;      // their predictions, each times its trust
  double growth_ = 0;       // seconds of rest that a second in service adds
  double growth_from_ = 0;  // each one's share of it times when it started
  // The newest twenty or so that ended, decaying; time in service is that of running ones, too.
  double ended_ = 0;
  double ended_predicted_s_ = 0;
  double ended_prior_s_ = 0;
  double in_service_s_ = 0;  // up to at_s_
  double at_s_ = 0;
};

}  // namespace minimill::lane
