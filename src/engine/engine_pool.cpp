#include "engine/engine_pool.h"

#include <system_error>
#include <utility>

namespace minimill::engine {

/// An engine's place in the pool, and the host it asks.
class EnginePool::Seat final : public EngineHost {
 public:
  Seat(EnginePool& pool, std::string key, LlamaEngineOptions options, EngineNeed the_need,
       std::function<void(int)> on_slots)
      : need(std::move(the_need)),
        engine(pool.io_, pool.client_, pool.clock_, *this, std::move(options)),
        pool_(pool),
        key_(std::move(key)),
        on_slots_(std::move(on_slots)) {}

  asio::awaitable<Result<std::filesystem::path>> llama_server() override {
    return pool_.servers_.find();
  }
  Result<std::unique_ptr<EngineProcess>> start(const std::vector<std::string>& command,
                                               std::function<void()> on_change) override {
    return pool_.servers_.start(command, std::move(on_change));
  }
  Result<bool> enter() override {
    Result<bool> entered = pool_.enter(*this);
    resident = entered && *entered;
    waits = !resident;
    return entered;
  }
  void leave() override {
    resident = false;
    waits = false;
    pool_.notify_waiting();
  }
  void became_idle() override { pool_.notify_waiting(); }
  void has_slots(int slots) override {
    if (on_slots_) on_slots_(slots);
  }

  Resident as_resident() const {
    const EngineStatus status = engine.status();
    return {.id = key_,
            .name = status.name,
            .need = need,
            .idle = status.in_flight == 0 && status.state != EngineState::kStarting,
            .last_used = status.last_used};
  }

  const EngineNeed need;
  bool resident = false;  // it has a process, or may start one
  bool waits = false;     // for room
  LlamaEngine engine;     // last to be made, first to go: it asks all of the above

 private:
  EnginePool& pool_;
  std::string key_;
  std::function<void(int)> on_slots_;
};

EnginePool::EnginePool(asio::io_context& io, http::Client& client, const Clock& clock,
                       ResidencyLimits limits, LlamaServers servers)
    : io_(io), client_(client), clock_(clock), limits_(limits), servers_(std::move(servers)) {}

EnginePool::~EnginePool() = default;

std::string EnginePool::key(const std::filesystem::path& file, bool embeddings) {
  std::error_code gone;  // then it is called as it was asked for
  const std::filesystem::path canonical = std::filesystem::weakly_canonical(file, gone);
  return (gone ? file : canonical).string() + (embeddings ? " embeddings" : "");
}

LlamaEngine* EnginePool::find(std::string_view key) {
  const auto seat = seats_.find(key);
  return seat == seats_.end() ? nullptr : &seat->second->engine;
}

LlamaEngine& EnginePool::add(LlamaEngineOptions options, EngineNeed need,
                             std::function<void(int)> on_slots) {
  std::string name = key(options.model, options.embeddings);
  auto seat =
      std::make_unique<Seat>(*this, name, std::move(options), std::move(need), std::move(on_slots));
  return seats_.emplace(std::move(name), std::move(seat)).first->second->engine;
}

Result<bool> EnginePool::enter(Seat& newcomer) {
  if (newcomer.resident) return true;
  std::vector<Resident> residents;
  for (const auto& [key, seat] : seats_) {
    if (seat->resident) residents.push_back(seat->as_resident());
  }
  const std::string name = newcomer.engine.status().name;
  const auto go = make_room(name, newcomer.need, residents, limits_);
  if (!go) return std::unexpected(go.error());
  for (const std::string& id : *go) seats_.at(id)->engine.begin_stop();
  return go->empty();
}

void EnginePool::notify_waiting() {
  for (const auto& [key, seat] : seats_) {
    if (seat->waits) seat->engine.notify();
  }
}

std::vector<EngineStatus> EnginePool::statuses() const {
  std::vector<EngineStatus> statuses;
  for (const auto& [key, seat] : seats_) statuses.push_back(seat->engine.status());
  return statuses;
}

asio::awaitable<void> EnginePool::stop(std::string_view key) {
  if (LlamaEngine* engine = find(key)) co_await engine->stop();
}

asio::awaitable<void> EnginePool::stop() {
  for (const auto& [key, seat] : seats_) seat->engine.begin_stop();
  for (const auto& [key, seat] : seats_) co_await seat->engine.stop();
}

}  // namespace minimill::engine
