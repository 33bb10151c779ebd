#include "simcloud/request_log.h"

#include <utility>

namespace minimill::simcloud {
namespace {

constexpr std::size_t kMaxPathBytes = 256;

}  // namespace

void RequestLog::add(WallTime at, std::string method, std::string path, std::string batch) {
  if (path.size() > kMaxPathBytes) path.resize(kMaxPathBytes);
  entries_.push_back({at, std::move(method), std::move(path), std::move(batch)});
  if (entries_.size() > kKept) entries_.pop_front();
  ++total_;
}

json::object RequestLog::to_json() const {
  json::array requests;
  for (const Entry& entry : entries_) {
    json::object shown{
        {"at_ms", unix_ms(entry.at)}, {"method", entry.method}, {"path", entry.path}};
    if (!entry.batch.empty()) shown["batch"] = entry.batch;
    requests.push_back(std::move(shown));
  }
  return {{"total", total_}, {"requests", std::move(requests)}};
}

}  // namespace minimill::simcloud
