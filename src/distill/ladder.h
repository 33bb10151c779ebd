#pragma once

// What the cloud answered is learnt, operation by operation, each app's apart from the others', and
// answered on the device from then on: the ladder's first rung, micro-models.
//
// The ladder watches answers (serve::Observer, and checked() for tasks), keeps them as traces where
// the app's rule says so, learns from what is kept and from nothing else, trains in the background,
// and says to each request what it would answer (serve::Rung). A rung answers once it is proven, or
// on trial where the request's own check catches a wrong answer (distill/evidence.h).
//
// On disk, in the data folder: traces.db (distill/trace_store.h) and micro-models/, a file for each
// operation (distill/ladder_files.h). Event-loop thread only; the disk and training have threads
// of their own.

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <cstddef>
#include <deque>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "async/blocking_pool.h"
#include "async/task_set.h"
#include "base/clock.h"
#include "distill/ladder_files.h"
#include "distill/learner.h"
#include "distill/trace_store.h"
#include "serve/observer.h"
#include "serve/rung.h"

namespace minimill::distill {

namespace asio = boost::asio;

/// An operation's rung, for people.
struct Skill {
  std::string app;
  std::string operation;
  std::string state;  // "learning", "on trial", "proven", "demoted", "pinned to the cloud"
  std::string form;   // "one of 8 answers"; empty: not known yet
  std::size_t examples = 0;
  double share_right = 0;  // of the newest predictions, made before the answer was known
  std::size_t predictions = 0;
  double bar = 0;           // from which confidence on it answers; over 1: from none
  std::size_t missing = 0;  // right predictions before any bar can be proven
  std::size_t answered = 0;
  std::size_t right = 0;  // of those that were checked or compared
  std::size_t wrong = 0;
  std::vector<std::string> templates;  // what its requests share
  std::vector<SkillEvent> log;         // oldest first
};

/// Answers that could have been learnt from, had the app's traces been kept.
struct Missed {
  std::string app;
  std::string operation;
  std::size_t answers = 0;
};

class Ladder final : public serve::Observer, public serve::Rung {
 public:
  static constexpr std::size_t kMostOperations = 64;

  /// What was learnt before is read; what of it is damaged is set aside, and learnt again from the
  /// traces.
  static Result<std::unique_ptr<Ladder>> open(asio::io_context& io, const Clock& clock,
                                              const std::filesystem::path& folder);

  /// Waits for what is under way, and saves.
  asio::awaitable<void> stop();

  bool knows_any() const override { return knows_any_; }
  serve::Offer offer(const policy::Request& request, const route::RouteInput& input,
                     std::string_view operation) const override;
  void checked(const serve::CheckedAnswer& answer) override;
  double audit_share(std::string_view app, std::string_view operation) const override;
  void audited(std::string_view app, std::string_view operation, bool right) override;

  bool wants_content(const serve::Observed& request) const override;
  void answered(const serve::Observed& request, const chat::ChatAnswer& answer,
                std::optional<double> mean_logprob) override;

  std::vector<Skill> skills() const;
  /// kNotFound.
  Result<Skill> skill(std::string_view app, std::string_view operation) const;
  /// Pinned to the cloud it answers nothing, and learns on.
  asio::awaitable<Result<>> pin(std::string app, std::string operation, bool to_cloud);
  std::vector<Missed> missed() const;

  /// The apps' that have one of their own.
  const std::map<std::string, KeepRule, std::less<>>& rules() const { return rules_; }
  asio::awaitable<Result<>> keep(std::string app, KeepRule rule);
  /// Newest first.
  asio::awaitable<Result<std::vector<Trace>>> traces(TraceFilter filter, std::size_t most);
  /// Traces, and all that was learnt from them: models are trained anew without them.
  asio::awaitable<Result<std::size_t>> purge(TraceFilter filter);

 private:
  struct Entry {
    Skilled skilled;
    bool training = false;
    std::size_t generation = 0;  // of its examples: a purge begins a new one
    WallTime learnt_at{};
  };
  using Name = std::pair<std::string, std::string>;  // app, operation

  Ladder(asio::io_context& io, const Clock& clock, std::filesystem::path folder, TraceStore store);
  Result<> recall();

  struct Asked {
    const policy::Request& request;
    const route::RouteInput& input;
    std::string_view operation;
  };
  KeepRule keep_of(std::string_view app) const;
  bool keeps(const policy::Request& request) const;
  void learn(const Asked& asked, Trace trace, const OperationLearner::Judge* judge);
  Entry* find(std::string_view app, std::string_view operation);
  const Entry* find(std::string_view app, std::string_view operation) const;
  Entry& entry_for(Name name);
  void note_state(Entry& entry);
  void train_if_due(const Name& name, Entry& entry);
  asio::awaitable<void> train(Name name);
  asio::awaitable<Result<>> save(Name name);
  void put(Trace trace);
  asio::awaitable<void> write_traces();
  asio::awaitable<void> prune();

  const Clock& clock_;
  std::filesystem::path folder_;  // of the micro-models
  TraceStore store_;              // on disk_'s thread
  std::map<std::string, KeepRule, std::less<>> rules_;
  std::map<Name, Entry> entries_;
  std::map<Name, std::size_t> missed_;
  bool knows_any_ = false;
  std::deque<Trace> to_put_;
  bool writing_ = false;
  WallTime pruned_at_{};
  async::TaskSet work_;
  async::BlockingPool disk_;
  async::BlockingPool trainer_;
};

/// "at most 5 % wrong, with 95 % confidence"
std::string describe(const Promise& promise);

}  // namespace minimill::distill
