#include "floor/floor.h"

#include <utility>

namespace minimill::floor {

void Floor::note() {
  ++version_;
  changed_.notify();
}

void Floor::close() {
  closed_ = true;
  note();
}

UnderWay& Floor::entry(const serve::Observed& request) {
  const auto [place, made] = under_way_.try_emplace(request.id);
  UnderWay& entry = place->second;
  if (made) {
    entry.id = request.id;
    entry.app = request.request.app;
    entry.task = request.request.task;
    entry.run = request.request.run;
    entry.title = request.request.title;
    entry.origin = request.request.origin;
    entry.stream = request.request.chat.stream;
    entry.decided = clock_.wall();
  }
  entry.operation = request.decision.operation;
  entry.p_local_ok = request.decision.p_local_ok;
  entry.lane = request.lane;
  return entry;
}

void Floor::decided(const serve::Observed& request) {
  entry(request).model = request.decision.model;
  note();
}

void Floor::began(const serve::Observed& request, const ledger::Attempt& attempt) {
  UnderWay& under_way = entry(request);
  under_way.model = attempt.model;
  under_way.backend = attempt.backend;
  under_way.began = clock_.wall();
  under_way.first_token.reset();
  under_way.tokens = 0;
  under_way.attempt += 1;
  note();
}

void Floor::wrote(const serve::Observed& request, std::int64_t pieces) {
  const auto found = under_way_.find(request.id);
  if (found == under_way_.end()) return;
  UnderWay& under_way = found->second;
  const WallTime now = clock_.wall();
  const bool news = !under_way.first_token || now - under_way.last_token >= kTokensEvery;
  under_way.tokens = pieces;
  if (!news) return;
  if (!under_way.first_token) under_way.first_token = now;
  under_way.last_token = now;
  note();
}

void Floor::ended(const ledger::RequestRecord& record) {
  under_way_.erase(record.id);
  ended_.push_back({.number = ++last_number_, .record = record});
  if (ended_.size() > kMostKept) ended_.pop_front();
  note();
}

}  // namespace minimill::floor
