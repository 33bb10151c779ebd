#include "protocol/batch.h"

#include <algorithm>
#include <utility>

namespace minimill::protocol {
namespace {

constexpr std::size_t kMaxIdBytes = 256;

}  // namespace

bool is_batch_id(std::string_view id) {
  const auto plain = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-' || c == '.';
  };
  return !id.empty() && id.size() <= kMaxIdBytes && id.front() != '.' &&
         std::ranges::all_of(id, plain);
}

BatchResultsReader::BatchResultsReader(std::set<std::string> wanted, ReadLine read_line)
    : wanted_(std::move(wanted)), read_line_(std::move(read_line)) {}

void BatchResultsReader::feed(std::string_view bytes) {
  while (!bytes.empty()) {
    const std::size_t end = bytes.find('\n');
    const std::string_view piece = bytes.substr(0, end);
    if (line_.size() + piece.size() > kMaxLineBytes) {
      too_long_ = true;
      line_.clear();
    }
    if (!too_long_) line_ += piece;
    if (end == std::string_view::npos) return;
    bytes.remove_prefix(end + 1);
    end_of_file();
  }
}

void BatchResultsReader::end_of_file() {
  if (!too_long_ && line_.find_first_not_of(" \t\r") != std::string::npos) take_line(line_);
  line_.clear();
  too_long_ = false;
}

void BatchResultsReader::take_line(std::string_view line) {
  Result<BatchResult> result = read_line_(line);
  if (!result || !wanted_.contains(result->custom_id)) return;
  const auto [place, first] =
      results_.emplace(std::move(result->custom_id), std::move(result->answer));
  if (!first) {
    place->second = fail(ErrorCode::kUpstream, "the batch's results answer this request twice");
  }
}

std::map<std::string, Result<chat::ChatAnswer>> BatchResultsReader::results() && {
  for (const std::string& id : wanted_) {
    if (results_.contains(id)) continue;
    results_.emplace(id, fail(ErrorCode::kUpstream, "the batch's results lack this request"));
  }
  return std::move(results_);
}

}  // namespace minimill::protocol
