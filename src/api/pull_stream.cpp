#include "api/pull_stream.h"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/this_coro.hpp>
#include <exception>
#include <optional>
#include <utility>

#include "api/chat_api.h"
#include "async/notifier.h"
#include "models/known_models.h"
#include "models/pull.h"
#include "protocol/ollama.h"
#include "protocol/ollama_models.h"

namespace minimill::api {
namespace {

namespace ollama = protocol::ollama;

/// Ollama's clients draw a bar for each digest.
std::string line_of(const models::PullProgress& progress, const std::string& name) {
  ollama::PullProgress line;
  line.status = progress.note.empty() ? "pulling " + name : progress.note;
  if (progress.total > 0) {
    line.digest = name;
    line.total_bytes = static_cast<std::int64_t>(progress.total);
    line.completed_bytes = static_cast<std::int64_t>(progress.done);
  }
  return ollama::write_pull_progress(line);
}

std::string line_of(std::string status) {
  ollama::PullProgress line;
  line.status = std::move(status);
  return ollama::write_pull_progress(line);
}

}  // namespace

struct PullStream::State {
  explicit State(const asio::any_io_executor& executor) : wake(executor) {}

  async::Notifier wake;
  std::optional<models::PullProgress> news;
  std::optional<Result<models::Model>> result;
  asio::cancellation_signal cancel;
};

PullStream::~PullStream() {
  if (state_ && !state_->result) state_->cancel.emit(asio::cancellation_type::terminal);
}

Result<> PullStream::check_name() const {
  const bool hugging_face = name_.starts_with("hf.co/");
  if (models::find_known_model(name_) != nullptr || (hugging_face && !known_only_)) return {};
  if (hugging_face) {
    return fail(ErrorCode::kForbidden, "over HTTP only models that minimill knows are pulled",
                "use: minimill pull " + name_);
  }
  return fail(
      ErrorCode::kNotFound, "no model '" + name_ + "' is known",
      "use a name that `minimill models` lists, or hf.co/USER/REPO/FILE.gguf; addresses and "
      "files are pulled on the command line only");
}

void PullStream::start(const asio::any_io_executor& executor) {
  state_ = std::make_shared<State>(executor);
  auto on_progress = [state = state_](const models::PullProgress& progress) {
    state->news = progress;
    state->wake.notify();
  };
  auto at_end = [state = state_](const std::exception_ptr& thrown, Result<models::Model> model) {
    if (thrown) model = fail(ErrorCode::kCancelled, "the download was ended");
    state->result.emplace(std::move(model));
    state->wake.notify();
  };
  asio::co_spawn(executor, models::pull(client_, store_, name_, {}, std::move(on_progress)),
                 asio::bind_cancellation_slot(state_->cancel.slot(), std::move(at_end)));
}

asio::awaitable<Result<models::Model>> PullStream::whole() {
  if (Result<> known = check_name(); !known) co_return std::unexpected(std::move(known.error()));
  start(co_await asio::this_coro::executor);
  while (!state_->result) co_await state_->wake.wait();
  co_return std::move(*state_->result);
}

asio::awaitable<void> PullStream::run(http::Responder& out) {
  if (Result<> known = check_name(); !known) {
    std::string body = ollama::write_error(known.error());
    co_await send_error(known.error(), std::move(body), out);
    co_return;
  }
  constexpr int kOk = 200;
  http::Headers headers{{"content-type", "application/x-ndjson"}};
  Result<> sent = co_await out.start(kOk, std::move(headers));
  if (sent) {
    const std::string first = line_of("pulling manifest");
    sent = co_await out.write(first);
  }
  start(co_await asio::this_coro::executor);
  while (sent) {
    // The last news before the end is told too; what a slow reader missed meanwhile is old.
    if (state_->news) {
      const std::string line = line_of(*std::exchange(state_->news, std::nullopt), name_);
      sent = co_await out.write(line);
    } else if (state_->result) {
      const std::string line = *state_->result
                                   ? line_of("success")
                                   : ollama::write_stream_error(state_->result->error());
      sent = co_await out.write(line);
      if (sent) sent = co_await out.finish();
      break;
    } else {
      co_await state_->wake.wait();
    }
  }
}

}  // namespace minimill::api
