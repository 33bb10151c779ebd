#include "distill/ladder.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <optional>
#include <unordered_set>
#include <utility>

#include "base/log.h"
#include "base/sha256.h"

namespace minimill::distill {
namespace {

constexpr std::size_t kMostWaiting = 2'000;  // traces that the disk has not taken yet
constexpr std::size_t kMostMissed = 256;     // operations that are counted
constexpr std::chrono::hours kPruneEvery{24};
constexpr double kPercent = 100;
constexpr Promise kPromise;

/// One question in words, with one answer: what a micro-model can be asked.
bool is_plain(const policy::Request& request, const route::RouteInput& input) {
  return input.turns == 1 && input.tools == 0 && input.images == 0 && request.chat.choices == 1;
}

bool is_local_only(const policy::Request& request) {
  return request.privacy == policy::Privacy::kLocalOnly;
}

std::string_view why_not(Abstention reason) {
  switch (reason) {
    case Abstention::kNone:
    case Abstention::kNotLearnt:
      return "there are too few answers of this operation yet, or they have no form that one can "
             "learn";
    case Abstention::kNovelTemplate:
      return "novel: it has learnt from no request with such instructions";
    case Abstention::kNovelOptions:
      return "novel: it has learnt from no request with this list of answers";
    case Abstention::kNovelText:
      return "novel: too little of the text is familiar";
    case Abstention::kUnproven:
      return "there is not enough evidence yet that it keeps what is promised";
    case Abstention::kUnsure:
      return "it is not sure enough";
    case Abstention::kDemoted:
      return "it was demoted: it has broken what was promised";
  }
  std::unreachable();
}

std::string why_answered(const OperationLearner& learner,
                         const OperationLearner::Verdict& verdict) {
  const std::string learnt =
      fmt::format("answered by a micro-model learnt from {} answers, {:.0f} % sure",
                  learner.examples(), kPercent * verdict.p_right);
  if (verdict.on_trial) return learnt + "; on trial, as its check catches a wrong answer";
  return fmt::format("{}; proven from {:.0f} % on: {}", learnt, kPercent * verdict.bar,
                     describe(kPromise));
}

std::string why_abstained(const OperationLearner::Verdict& verdict) {
  std::string why = fmt::format("the micro-model abstains: {}", why_not(verdict.reason));
  if (verdict.reason == Abstention::kUnsure && verdict.bar <= 1) {
    why += fmt::format(" ({:.0f} %, the bar is {:.0f} %)", kPercent * verdict.p_right,
                       kPercent * verdict.bar);
  }
  return why;
}

std::string state_of(const Skilled& skilled) {
  if (skilled.pinned) return "pinned to the cloud";
  const OperationLearner& learner = skilled.learner;
  if (learner.model() == nullptr) return "learning";
  const Evidence& evidence = learner.evidence();
  if (evidence.broken()) return "demoted";
  if (evidence.proven_bar(kPromise) < Evidence::kNone) return "proven";
  return evidence.trial_bar(learner.examples()) < Evidence::kNone ? "on trial" : "learning";
}

std::string describe(const Form& form) {
  if (!form.json) {
    const Field& field = form.fields.front();
    if (field.kind == FieldKind::kCopied) return "words copied from the request";
    if (field.kind == FieldKind::kNumber) return "a number of the request's";
    return fmt::format("one of {} answers", field.values.size());
  }
  std::string names;
  for (const Field& field : form.fields) names += (names.empty() ? "" : ", ") + field.name;
  return "JSON of " + names;
}

Skill skill_of(const Skilled& skilled) {
  const OperationLearner& learner = skilled.learner;
  const Evidence& evidence = learner.evidence();
  return {.app = skilled.app,
          .operation = skilled.operation,
          .state = state_of(skilled),
          .form = learner.model() == nullptr ? "" : describe(learner.model()->form()),
          .examples = learner.examples(),
          .share_right = evidence.share_right(),
          .predictions = evidence.size(),
          .bar = std::min(evidence.proven_bar(kPromise), evidence.trial_bar(learner.examples())),
          .missing = evidence.missing(kPromise),
          .answered = skilled.answered,
          .right = skilled.right,
          .wrong = skilled.wrong,
          .templates = learner.templates().shown(),
          .log = {skilled.log.begin(), skilled.log.end()}};
}

/// What tells a lesson from the others, without keeping its text.
std::string lesson_key(std::string_view request, std::string_view answer) {
  return sha256_hex(fmt::format("{}\n{}\n{}", request.size(), request, answer));
}

Trace trace_of(const policy::Request& request, const route::RouteInput& input,
               std::string_view operation) {
  Trace trace;
  trace.app = request.app;
  trace.operation = operation;
  trace.request = input.text;
  trace.task = request.origin == chat::Origin::kTask || request.origin == chat::Origin::kBatch;
  trace.local_only = is_local_only(request);
  return trace;
}

Result<TraceStore> open_store(const std::filesystem::path& path) {
  Result<TraceStore> store = TraceStore::open(path);
  if (store || store.error().code != ErrorCode::kCorrupt) return store;
  log::warn("the traces in {} cannot be read ({}): the file is set aside, and learning begins anew",
            path.string(), store.error().message);
  std::error_code ec;
  std::filesystem::rename(path, path.string() + ".damaged", ec);
  return TraceStore::open(path);
}

}  // namespace

std::string describe(const Promise& promise) {
  return fmt::format("at most {:.3g} % wrong, with {:.3g} % confidence",
                     kPercent * promise.most_wrong, kPercent * promise.confidence);
}

Ladder::Ladder(asio::io_context& io, const Clock& clock, std::filesystem::path folder,
               TraceStore store)
    : clock_(clock),
      folder_(std::move(folder)),
      store_(std::move(store)),
      work_(io, "learning from answers") {}

Result<std::unique_ptr<Ladder>> Ladder::open(asio::io_context& io, const Clock& clock,
                                             const std::filesystem::path& folder) {
  Result<TraceStore> store = open_store(folder / "traces.db");
  if (!store) return std::unexpected(std::move(store.error()));
  std::unique_ptr<Ladder> ladder(new Ladder(io, clock, folder / "micro-models", std::move(*store)));
  if (Result<> recalled = ladder->recall(); !recalled) {
    return std::unexpected(std::move(recalled.error()));
  }
  return ladder;
}

/// Models and evidence from their files, the texts to train with from the traces; an operation
/// without a file is learnt from its traces as if they came now.
Result<> Ladder::recall() {
  Result<std::map<std::string, KeepRule, std::less<>>> rules = store_.rules();
  if (!rules) return std::unexpected(std::move(rules.error()));
  rules_ = std::move(*rules);
  for (Skilled& skilled : read_all_skilled(folder_)) {
    Name name{skilled.app, skilled.operation};
    if (entries_.size() >= kMostOperations) break;
    knows_any_ = knows_any_ || skilled.learner.model() != nullptr;
    entries_[std::move(name)].skilled = std::move(skilled);
  }
  Result<std::vector<Name>> operations = store_.operations();
  if (!operations) return std::unexpected(std::move(operations.error()));
  for (const Name& name : *operations) {
    const bool known = entries_.contains(name);
    if (!known && entries_.size() >= kMostOperations) continue;
    Entry& entry = entry_for(name);
    Result<std::vector<Trace>> newest =
        store_.list({.app = name.first, .operation = name.second}, OperationLearner::kMostExamples);
    if (!newest) return std::unexpected(std::move(newest.error()));
    for (auto each = newest->rbegin(); each != newest->rend(); ++each) {
      const Lesson lesson{
          .request = each->request, .answer = each->answer, .teacher = each->outcome};
      known ? entry.skilled.learner.recall(lesson) : entry.skilled.learner.learn(lesson, nullptr);
      entry.learnt_at = each->at;
    }
  }
  return {};
}

asio::awaitable<void> Ladder::stop() {
  co_await work_.stop();
  co_await write_traces();
  std::vector<Name> names;
  for (const auto& [name, entry] : entries_) names.push_back(name);
  for (Name& name : names) {
    Result<> saved = co_await save(std::move(name));
    if (!saved) log::warn("{}", saved.error().to_string());
  }
}

// --- answering ---

serve::Offer Ladder::offer(const policy::Request& request, const route::RouteInput& input,
                           std::string_view operation) const {
  serve::Offer offer;
  // Who names a lane wants that lane's language model, and who wants probabilities of tokens, too.
  const bool own = request.origin == chat::Origin::kTask;
  if (request.choice.lane || operation.empty() || !is_plain(request, input)) return offer;
  if (request.origin == chat::Origin::kShadow || (request.chat.logprobs && !own)) return offer;
  const Entry* entry = find(request.app, operation);
  if (entry == nullptr || entry->skilled.learner.model() == nullptr) return offer;
  const OperationLearner& learner = entry->skilled.learner;
  if (entry->skilled.pinned) {
    offer.why = "the operation is pinned to the cloud: its micro-model does not answer";
    return offer;
  }
  OperationLearner::Verdict verdict = learner.predict(input.text, request.verifiable, kPromise);
  if (verdict.answer && request.choice.quality && verdict.p_right < *request.choice.quality) {
    verdict.answer.reset();
    verdict.reason = Abstention::kUnsure;
    verdict.bar = *request.choice.quality;
  }
  offer.p_right = verdict.p_right;
  offer.bar = verdict.bar;
  offer.why = verdict.answer ? why_answered(learner, verdict) : why_abstained(verdict);
  offer.answer = std::move(verdict.answer);
  return offer;
}

double Ladder::audit_share(std::string_view app, std::string_view operation) const {
  constexpr double kFirst = 0.2;
  constexpr double kLeast = 0.02;
  constexpr double kHalfAt = 25;
  const Entry* entry = find(app, operation);
  if (entry == nullptr) return 0;
  const auto audits = static_cast<double>(entry->skilled.right + entry->skilled.wrong);
  return std::max(kLeast, kFirst / (1 + audits / kHalfAt));
}

void Ladder::audited(std::string_view app, std::string_view operation, bool right) {
  Entry* entry = find(app, operation);
  if (entry == nullptr) return;
  ++(right ? entry->skilled.right : entry->skilled.wrong);
  entry->skilled.learner.audit(right, kPromise);
  note_state(*entry);
}

// --- learning ---

KeepRule Ladder::keep_of(std::string_view app) const {
  const auto rule = rules_.find(app);
  return rule == rules_.end() ? KeepRule{} : rule->second;
}

bool Ladder::keeps(const policy::Request& request) const {
  const bool task = request.origin == chat::Origin::kTask || request.origin == chat::Origin::kBatch;
  return is_kept(keep_of(request.app), task, is_local_only(request));
}

bool Ladder::wants_content(const serve::Observed& request) const {
  return request.request.origin == chat::Origin::kApp && request.lane == chat::Lane::kCloud &&
         !request.decision.operation.empty() && is_plain(request.request, request.input) &&
         keeps(request.request);
}

void Ladder::answered(const serve::Observed& request, const chat::ChatAnswer& answer,
                      std::optional<double> /*mean_logprob*/) {
  if (request.request.origin != chat::Origin::kApp || request.decision.operation.empty()) return;
  const std::string& operation = request.decision.operation;
  if (serve::is_rung(request.decision)) {
    if (Entry* entry = find(request.request.app, operation)) ++entry->skilled.answered;
    return;
  }
  if (request.lane != chat::Lane::kCloud || !is_plain(request.request, request.input)) return;
  Trace trace = trace_of(request.request, request.input, operation);
  trace.id = request.id.value;
  trace.answer = answer.text();
  trace.model = answer.model();
  learn({request.request, request.input, operation}, std::move(trace), nullptr);
}

void Ladder::checked(const serve::CheckedAnswer& answer) {
  if (answer.operation.empty() || !is_plain(answer.request, answer.input)) return;
  const bool rung = answer.lane == chat::Lane::kLocal && answer.model == serve::kMicroModel;
  Entry* entry = find(answer.request.app, answer.operation);
  if (rung && entry != nullptr) {
    ++entry->skilled.answered;
    if (answer.passed) {
      ++(*answer.passed ? entry->skilled.right : entry->skilled.wrong);
      // On trial nothing was promised.
      OperationLearner& learner = entry->skilled.learner;
      const bool promised = !learner.predict(answer.input.text, true, kPromise).on_trial;
      if (promised) learner.audit(*answer.passed, kPromise);
      note_state(*entry);
    }
  }
  // What the device said is learnt from only where a check has found it right.
  if (answer.lane == chat::Lane::kLocal && answer.passed != true) return;
  Trace trace = trace_of(answer.request, answer.input, answer.operation);
  trace.id = answer.id.value;
  trace.answer = answer.answer;
  trace.model = answer.model;
  trace.cost_usd = answer.cost_usd;
  if (answer.passed) trace.outcome = *answer.passed ? Teacher::kRight : Teacher::kWrong;
  const OperationLearner::Judge judge = answer.check;
  learn({answer.request, answer.input, answer.operation}, std::move(trace),
        judge ? &judge : nullptr);
}

void Ladder::learn(const Asked& asked, Trace trace, const OperationLearner::Judge* judge) {
  Name name{asked.request.app, std::string(asked.operation)};
  if (!keeps(asked.request)) {
    if (missed_.size() < kMostMissed || missed_.contains(name)) ++missed_[name];
    return;
  }
  if (trace.answer.empty()) return;
  trace.at = clock_.wall();
  Entry& entry = entry_for(name);
  entry.learnt_at = trace.at;
  entry.skilled.learner.learn(
      {.request = trace.request, .answer = trace.answer, .teacher = trace.outcome}, judge);
  put(std::move(trace));
  note_state(entry);
  train_if_due(name, entry);
}

Ladder::Entry* Ladder::find(std::string_view app, std::string_view operation) {
  const auto found = entries_.find(Name{app, operation});
  return found == entries_.end() ? nullptr : &found->second;
}

const Ladder::Entry* Ladder::find(std::string_view app, std::string_view operation) const {
  const auto found = entries_.find(Name{app, operation});
  return found == entries_.end() ? nullptr : &found->second;
}

/// Where there are too many, the one that was learnt from least lately goes.
Ladder::Entry& Ladder::entry_for(Name name) {
  if (const auto found = entries_.find(name); found != entries_.end()) return found->second;
  if (entries_.size() >= kMostOperations) {
    const auto oldest = std::ranges::min_element(
        entries_, {}, [](const auto& each) { return each.second.learnt_at; });
    remove_skilled(folder_, oldest->second.skilled);
    entries_.erase(oldest);
  }
  Entry& entry = entries_[name];
  entry.skilled.app = std::move(name.first);
  entry.skilled.operation = std::move(name.second);
  entry.skilled.state = "learning";
  return entry;
}

void Ladder::note_state(Entry& entry) {
  Skilled& skilled = entry.skilled;
  std::string now = state_of(skilled);
  if (now == skilled.state) return;
  std::string text = fmt::format("{} (it was: {}), with {} answers learnt from", now, skilled.state,
                                 skilled.learner.examples());
  log::info("the micro-model of '{}': {}", skilled.operation, text);
  skilled.state = std::move(now);
  skilled.log.push_back({.at = clock_.wall(), .text = std::move(text)});
  if (skilled.log.size() > Skilled::kMostEvents) skilled.log.pop_front();
}

void Ladder::train_if_due(const Name& name, Entry& entry) {
  if (entry.training || !entry.skilled.learner.due() || work_.stopping()) return;
  entry.training = true;
  work_.start(train(name));
}

asio::awaitable<void> Ladder::train(Name name) {
  Entry* entry = find(name.first, name.second);
  if (entry == nullptr) co_return;
  const std::size_t generation = entry->generation;
  auto learner = std::make_shared<const OperationLearner>(entry->skilled.learner);
  std::function<OperationLearner::Trained()> work = [learner] {
    return OperationLearner::train(learner->training_set());
  };
  learner.reset();
  OperationLearner::Trained trained =
      co_await trainer_.run<OperationLearner::Trained>(std::move(work));
  entry = find(name.first, name.second);
  if (entry == nullptr) co_return;
  entry->training = false;
  if (entry->generation == generation) {  // else it knows what was purged
    knows_any_ = knows_any_ || trained.model != nullptr;
    entry->skilled.learner.adopt(std::move(trained));
    note_state(*entry);
    Result<> saved = co_await save(name);
    if (!saved) log::warn("{}", saved.error().to_string());
    entry = find(name.first, name.second);
  }
  if (entry != nullptr) train_if_due(name, *entry);
}

asio::awaitable<Result<>> Ladder::save(Name name) {
  const Entry* entry = find(name.first, name.second);
  if (entry == nullptr) co_return Result<>{};
  auto skilled = std::make_shared<const Skilled>(entry->skilled);
  std::function<Result<>()> work = [this, skilled] { return write_skilled(folder_, *skilled); };
  skilled.reset();
  Result<> written = co_await disk_.run<Result<>>(std::move(work));
  co_return written;
}

// --- traces ---

void Ladder::put(Trace trace) {
  if (to_put_.size() >= kMostWaiting) return;  // the disk does not keep up: learnt, but not kept
  to_put_.push_back(std::move(trace));
  if (writing_ || work_.stopping()) return;
  work_.start(write_traces());
}

asio::awaitable<void> Ladder::write_traces() {
  // Whoever stops waits for it, as what is out of the queue and not written yet would be lost.
  const asio::disable_cancellation none;
  co_await asio::this_coro::reset_cancellation_state(none);
  writing_ = true;
  while (!to_put_.empty()) {
    auto batch = std::make_shared<std::deque<Trace>>(std::move(to_put_));
    to_put_.clear();
    std::function<Result<>()> work = [this, batch] {
      for (const Trace& trace : *batch) {
        if (Result<bool> kept = store_.put(trace); !kept) {
          return Result<>(std::unexpected(std::move(kept.error())));
        }
      }
      return Result<>{};
    };
    batch.reset();
    Result<> written = co_await disk_.run<Result<>>(std::move(work));
    if (!written) log::warn("traces are not kept: {}", written.error().to_string());
  }
  writing_ = false;
  if (clock_.wall() - pruned_at_ < kPruneEvery || work_.stopping()) co_return;
  pruned_at_ = clock_.wall();
  work_.start(prune());
}

asio::awaitable<void> Ladder::prune() {
  std::function<Result<std::size_t>()> work = [this, now = clock_.wall()] {
    return store_.prune(now);
  };
  Result<std::size_t> gone = co_await disk_.run<Result<std::size_t>>(std::move(work));
  if (!gone) log::warn("traces are not pruned: {}", gone.error().to_string());
}

asio::awaitable<Result<>> Ladder::keep(std::string app, KeepRule rule) {
  rules_[app] = rule;
  std::function<Result<>()> work = [this, app = std::move(app), rule] {
    return store_.set_keep(app, rule);
  };
  Result<> set = co_await disk_.run<Result<>>(std::move(work));
  co_return set;
}

asio::awaitable<Result<std::vector<Trace>>> Ladder::traces(TraceFilter filter, std::size_t most) {
  std::function<Result<std::vector<Trace>>()> work = [this, filter = std::move(filter), most] {
    return store_.list(filter, most);
  };
  Result<std::vector<Trace>> found =
      co_await disk_.run<Result<std::vector<Trace>>>(std::move(work));
  co_return found;
}

asio::awaitable<Result<std::size_t>> Ladder::purge(TraceFilter filter) {
  while (!to_put_.empty()) co_await write_traces();
  auto keys = std::make_shared<std::unordered_set<std::string>>();
  std::function<Result<std::size_t>()> work = [this, keys, filter = std::move(filter)] {
    Result<> read = store_.each(filter, [&keys = *keys](const Trace& trace) {
      keys.insert(lesson_key(trace.request, trace.answer));
    });
    if (!read) return Result<std::size_t>(std::unexpected(std::move(read.error())));
    std::error_code ec;
    for (const auto& file : std::filesystem::directory_iterator(folder_, ec)) {
      if (file.path().extension() == ".damaged") std::filesystem::remove(file.path(), ec);
    }
    return store_.purge(filter);
  };
  Result<std::size_t> gone = co_await disk_.run<Result<std::size_t>>(std::move(work));
  if (!gone) co_return gone;
  const auto is_gone = [&keys = *keys](const Lesson& lesson) {
    return keys.contains(lesson_key(lesson.request, lesson.answer));
  };
  std::vector<Name> changed;
  for (auto& [name, entry] : entries_) {
    if (entry.skilled.learner.forget(is_gone) == 0) continue;
    ++entry.generation;
    note_state(entry);
    changed.push_back(name);
  }
  for (Name& name : changed) {
    Result<> saved = co_await save(name);
    if (!saved) co_return std::unexpected(std::move(saved.error()));
    if (Entry* entry = find(name.first, name.second)) train_if_due(name, *entry);
  }
  co_return gone;
}

// --- for people ---

std::vector<Skill> Ladder::skills() const {
  std::vector<Skill> all;
  for (const auto& [name, entry] : entries_) all.push_back(skill_of(entry.skilled));
  return all;
}

Result<Skill> Ladder::skill(std::string_view app, std::string_view operation) const {
  const Entry* entry = find(app, operation);
  if (entry != nullptr) return skill_of(entry->skilled);
  return fail(ErrorCode::kNotFound,
              fmt::format("nothing is learnt of '{}' of the app '{}'", operation, app),
              "minimill skill list shows what there is");
}

asio::awaitable<Result<>> Ladder::pin(std::string app, std::string operation, bool to_cloud) {
  Entry* entry = find(app, operation);
  if (entry == nullptr) co_return std::unexpected(skill(app, operation).error());
  entry->skilled.pinned = to_cloud;
  note_state(*entry);
  Name name{std::move(app), std::move(operation)};
  Result<> saved = co_await save(std::move(name));
  co_return saved;
}

std::vector<Missed> Ladder::missed() const {
  std::vector<Missed> all;
  for (const auto& [name, answers] : missed_) {
    all.push_back({.app = name.first, .operation = name.second, .answers = answers});
  }
  return all;
}

}  // namespace minimill::distill
