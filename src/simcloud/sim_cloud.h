#pragma once

// A simulated provider on a real socket, speaking OpenAI's and Anthropic's wire formats, for demos,
// tests and capacity planning. Every answer is plainly marked as simulated: the model is called
// "sim-…", the text begins with "[simulated]" unless it is a gold answer (which checks must be able
// to match), and each response carries `x-simulated: minimill sim-cloud`.
//
// Given tasks with gold answers, it answers a prompt that is a task's right with probability
// `p_correct`, else wrong in the same form. The same seed and prompt give the same answer. A prompt
// with "<answer>…</answer>" in it is answered by what stands between.
//
// Faults (fault.h) are per request, chosen by a seeded generator, or forced for one request with
// the header `x-sim-fault: 401|429|500|503|garbage|half-event|stall|disconnect` or a model of that
// name
// ("sim-fault-429").
//
// Batches of both protocols are remembered for its own life and answered by the same answers. It is
// controlled while it runs: GET and POST /sim/faults show and set the faults' shares, GET /sim/log
// lists what was asked so far. These ask for no key: it is a tool for one's own machine.

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/error.h"
#include "simcloud/fault.h"

namespace minimill::simcloud {

namespace asio = boost::asio;

/// How a prompt that ends with `prompt` is answered, rightly and wrongly.
struct GoldAnswer {
  std::string prompt;
  std::string right;
  std::string wrong;
};

struct SimCloudOptions {
  std::string listen = "127.0.0.1:0";
  std::chrono::milliseconds first_token{600};  // mean; drawn log-normally
  double latency_sigma = 0.3;                  // of the log; 0: always the mean
  double tokens_per_second = 80;
  int answer_tokens = 60;  // for prompts without a gold answer
  double p_correct = 0.95;
  FaultShares faults;                      // probability of each
  std::string key;                         // demanded if not empty
  int requests_per_minute = 0;             // 0: no limit; else 429 with Retry-After
  bool lying_headers = false;              // rate-limit headers of nonsense
  bool no_usage = false;                   // answers do not say what they cost
  std::chrono::milliseconds batch{2'000};  // how long a batch takes
  std::string timed;  // whose time a prompt may name (named_time.h); empty: nobody's
  std::uint64_t seed = 1;
  std::vector<GoldAnswer> gold;
};

/// Tasks' gold answers out of a file of tasks (lines as minimill's tasks files): what satisfies
/// each check.
Result<std::vector<GoldAnswer>> read_gold(const std::string& path);

class SimCloud {
 public:
  SimCloud(asio::io_context& io, SimCloudOptions options);
  ~SimCloud();

  /// Returns "http://127.0.0.1:PORT": OpenAI's base URL is that + "/v1", Anthropic's is that.
  Result<std::string> start();
  asio::awaitable<void> stop();
  std::uint64_t requests() const;

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace minimill::simcloud
