#pragma once

// The batches that the simulated cloud remembers: what they were made of, how far they are by now,
// and how each line ended. A function of time: nothing runs in the background.
//
// A batch takes `takes` from its creation to its end: a tenth to be looked at, then one line after
// the other, a tenth to put the results together. The wire formats are openai_batches.h's and
// anthropic_batches.h's.

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "base/json.h"
#include "chat/chat_event.h"
#include "simcloud/answering.h"
#include "simcloud/fault.h"

namespace minimill::simcloud {

struct BatchLine {
  std::string custom_id;
  std::string body;  // the request, as its protocol writes it
};

enum class BatchPhase {
  kValidating,
  kInProgress,
  kFinalizing,
  kCompleted,
  kFailed,
  kExpired,
  kCancelling,
  kCancelled
};
/// True from the moment there are results, or never will be.
bool has_ended(BatchPhase phase);

enum class LineEnd { kSucceeded, kErrored, kCancelled, kExpired };

struct SimBatch {
  std::string id;
  chat::Protocol protocol = chat::Protocol::kOpenAi;
  std::vector<BatchLine> lines;
  WallTime created{};
  std::optional<WallTime> cancel_asked;
  Fault fault = Fault::kNone;
  std::string invalid;  // why it fails in validation; empty: it does not
  std::string input_file_id;
  json::object metadata;
  std::string output_file_id;  // once it has ended
  std::string error_file_id;
  bool unconfirmed = false;  // kBatchStall: whoever made it has not been told
  bool deleted = false;
};

struct LineCounts {
  std::int64_t processing = 0;
  std::int64_t succeeded = 0;
  std::int64_t errored = 0;
  std::int64_t cancelled = 0;
  std::int64_t expired = 0;
};

class Batches {
 public:
  static constexpr std::size_t kMaxBatches = 1'000;
  static constexpr std::size_t kMaxLines = 50'000;
  static constexpr std::size_t kMaxFiles = 1'000;
  static constexpr std::size_t kMaxBytes = std::size_t{256} << 20;  // of files and lines together

  Batches(const Clock& clock, const Answering& answering, const FaultShares& faults, Millis takes,
          std::uint64_t seed);

  /// Makes it, or finds the one that was made with the same `idempotency_key`. kTooLarge past the
  /// limits.
  Result<SimBatch*> create(SimBatch batch, const std::string& idempotency_key);
  Result<SimBatch*> find(std::string_view id, chat::Protocol protocol);
  /// Newest first, those made before `after` (empty: all), at most `limit`.
  std::vector<const SimBatch*> list(chat::Protocol protocol, std::string_view after,
                                    std::size_t limit) const;
  void cancel(SimBatch& batch) const;

  BatchPhase phase(const SimBatch& batch) const;
  WallTime ended_at(const SimBatch& batch) const;
  LineCounts counts(const SimBatch& batch) const;
  LineEnd line_end(const SimBatch& batch, std::size_t line) const;
  /// The answer to a line that succeeded; an error where its request cannot be read.
  Result<chat::ChatAnswer> answer(const SimBatch& batch, std::size_t line) const;

  Result<std::string> add_file(std::string content);
  Result<const std::string*> file(std::string_view id) const;
  bool remove_file(std::string_view id);

 private:
  bool line_fails(const SimBatch& batch, std::size_t line) const;
  WallTime line_done_at(const SimBatch& batch, std::size_t line) const;

  const Clock& clock_;
  const Answering& answering_;
  const FaultShares& faults_;
  Millis takes_;
  std::uint64_t seed_;
  std::vector<std::unique_ptr<SimBatch>> batches_;  // oldest first
  std::map<std::string, SimBatch*> by_key_;
  std::map<std::string, std::string, std::less<>> files_;
  std::size_t bytes_ = 0;
  std::uint64_t files_made_ = 0;
};

/// The results' lines as one text; those of a batch with kBatchHostile are not what they should be.
std::string results_text(const SimBatch& batch, std::vector<std::string> lines);

}  // namespace minimill::simcloud
