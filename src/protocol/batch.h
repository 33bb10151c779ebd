#pragma once

// What both providers' batch APIs have in common, past their wire formats (openai_batch.h,
// anthropic_batch.h): how far a batch is, and its results, one for every request that was sent.
//
//   BatchResultsReader reader(wanted_ids, openai::read_batch_result);
//   reader.feed(bytes) …; reader.end_of_file();
//   for (auto& [id, answer] : std::move(reader).results()) …
//
// Every byte in is hostile: lines that are no results, or too long, are counted and read over; ids
// nobody asked for, too; an id that is answered twice is in error, as is one that is not answered.

#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "chat/chat_event.h"

namespace minimill::protocol {

enum class BatchState {
  kRunning,
  kCancelling,
  kEnded,   // completed, expired or cancelled: what was answered by then can be read
  kFailed,  // as a whole; there are no results
};

struct BatchStatus {
  std::string id;
  BatchState state = BatchState::kRunning;
  std::string name;            // ours, where the provider keeps it
  std::int64_t created_s = 0;  // Unix time; 0 where not told
  std::int64_t answered = 0;
  std::int64_t unanswered = 0;            // in error, expired or cancelled
  std::string input_file;                 // OpenAI's files, by id; empty where there is none
  std::vector<std::string> result_files;  // output and errors
  std::string error;                      // why it failed
};

struct BatchList {
  std::vector<BatchStatus> batches;  // newest first
  std::string next;                  // ask for those after this id; empty: that was all
};

/// The answer to one request of a batch.
struct BatchResult {
  std::string custom_id;
  Result<chat::ChatAnswer> answer;
};

/// Ids that may stand in a URL's path as they are.
bool is_batch_id(std::string_view id);

class BatchResultsReader {
 public:
  static constexpr std::size_t kMaxLineBytes = std::size_t{4} << 20;
  /// Of a line without its end.
  using ReadLine = std::function<Result<BatchResult>(std::string_view line)>;

  BatchResultsReader(std::set<std::string> wanted, ReadLine read_line);

  void feed(std::string_view bytes);
  /// What comes next is another file; a last line may lack its end.
  void end_of_file();

  /// Exactly one for each id that was wanted; kUpstream for those not answered.
  std::map<std::string, Result<chat::ChatAnswer>> results() &&;

 private:
  void take_line(std::string_view line);

  std::set<std::string> wanted_;
  ReadLine read_line_;
  std::map<std::string, Result<chat::ChatAnswer>> results_;
  std::string line_;  // its beginning; never more than kMaxLineBytes
  bool too_long_ = false;
};

}  // namespace minimill::protocol
