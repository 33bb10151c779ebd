#include "cloud/provider_stream.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "cloud/secret.h"

namespace minimill::cloud {
namespace {

/// The event as a frame again. Its data are the provider's bytes; comments and retry times were for
/// us.
chat::Frame frame_of(const http::SseEvent& event) {
  chat::Frame frame;
  if (!event.event.empty()) frame.bytes = fmt::format("event: {}\n", event.event);
  std::string_view rest = event.data;
  while (true) {
    const std::size_t end = rest.find('\n');
    frame.bytes.append("data: ").append(rest.substr(0, end)).append("\n");
    if (end == std::string_view::npos) break;
    rest.remove_prefix(end + 1);
  }
  frame.bytes += '\n';
  return frame;
}

}  // namespace

ProviderStream::ProviderStream(std::string provider, chat::Protocol protocol,
                               std::unique_ptr<http::Download> download, Frames frames,
                               StreamGuard guard)
    : provider_(std::move(provider)),
      download_(std::move(download)),
      frames_(frames),
      guard_(std::move(guard)),
      last_event_(SystemClock().steady()) {
  if (protocol == chat::Protocol::kAnthropic) {
    reader_.emplace<protocol::anthropic::StreamReader>();
  }
}

bool ProviderStream::done() const {
  return std::visit([](const auto& reader) { return reader.done(); }, reader_);
}

const std::string& ProviderStream::model() const {
  return std::visit([](const auto& reader) -> const std::string& { return reader.model(); },
                    reader_);
}

Result<> ProviderStream::take(const http::SseEvent& event) {
  std::vector<chat::ChatEvent> events;
  Result<> read;
  if (auto* openai = std::get_if<protocol::openai::StreamReader>(&reader_)) {
    read = openai->read(event.data, events);
  } else {
    read =
        std::get<protocol::anthropic::StreamReader>(reader_).read(event.event, event.data, events);
  }
  if (!events.empty()) last_event_ = SystemClock().steady();
  if (read && passes(events)) ready_.emplace_back(frame_of(event));
  for (chat::ChatEvent& each : events) {
    finished_ = finished_ || std::holds_alternative<chat::Finish>(each);
    if (const auto* report = std::get_if<chat::UsageReport>(&each)) used_ = report->usage;
    ready_.push_back(std::move(each));
  }
  // Who says that an answer is none takes nothing for it.
  if (!read) used_ = {};
  return read;
}

bool ProviderStream::passes(const std::vector<chat::ChatEvent>& events) const {
  if (frames_ == Frames::kNone) return false;
  const auto is_usage = [](const chat::ChatEvent& event) {
    return std::holds_alternative<chat::UsageReport>(event);
  };
  const bool only_usage = !events.empty() && std::ranges::all_of(events, is_usage);
  return frames_ == Frames::kAll || !only_usage;
}

Error ProviderStream::blotted(Error error) const {
  blot_out(error.message, guard_.secret);
  return error;
}

/// What opens an answer says nothing of it yet: another provider could still give it.
bool ProviderStream::has_spoken() const {
  return std::ranges::any_of(ready_, [](const chat::ChatEvent& event) {
    return !std::holds_alternative<chat::Frame>(event) &&
           !std::holds_alternative<chat::UsageReport>(event);
  });
}

Error ProviderStream::ended_early() const {
  return fail(ErrorCode::kUpstream, fmt::format("{} ended in the middle of an answer", provider_))
      .error();
}

asio::awaitable<Result<>> ProviderStream::read_more() {
  // Whoever sends nothing at all is the transfer's idle time-out's.
  if (!has_spoken() && SystemClock().steady() - last_event_ >= guard_.event_timeout) {
    co_return fail(ErrorCode::kTimeout,
                   fmt::format("{} has kept the connection alive and said nothing for {} s",
                               provider_, guard_.event_timeout.count() / 1000));
  }
  Result<std::optional<std::string>> bytes = co_await download_->read();
  if (!bytes) co_return std::unexpected(std::move(bytes.error()).context(provider_));
  if (!*bytes) {
    ended_ = true;
    // Some leave out the last blank line. What is no event by then was to be more of one.
    const bool was_finished = finished_;
    sse_.end();
    while (std::optional<http::SseEvent> event = sse_.next()) {
      Result<> taken = take(*event);
      if (!taken && !was_finished) co_return std::unexpected(ended_early());
    }
    // Some compatible servers leave out [DONE]; an answer without its finish is half an answer.
    if (finished_) co_return Result<>{};
    co_return std::unexpected(ended_early());
  }
  if (Result<> fed = sse_.feed(**bytes); !fed) {
    Error too_long = std::move(fed.error()).context(provider_);
    too_long.code = ErrorCode::kUpstream;  // the provider's event, not the app's request
    co_return std::unexpected(std::move(too_long));
  }
  while (std::optional<http::SseEvent> event = sse_.next()) {
    if (Result<> taken = take(*event); !taken) {
      co_return std::unexpected(std::move(taken.error()).context(provider_));
    }
  }
  if (done() && !finished_) co_return std::unexpected(ended_early());
  ended_ = done();
  co_return Result<>{};
}

asio::awaitable<Result<>> ProviderStream::begin() {
  while (!has_spoken() && !ended_) {
    Result<> more = co_await read_more();
    if (!more) co_return std::unexpected(blotted(std::move(more.error())));
  }
  co_return Result<>{};
}

asio::awaitable<Result<std::optional<chat::ChatEvent>>> ProviderStream::next() {
  while (ready_.empty() && !ended_ && !failure_) {
    Result<> more = co_await read_more();
    if (!more) failure_ = blotted(std::move(more.error()));
  }
  if (!ready_.empty()) {
    std::optional<chat::ChatEvent> event(std::move(ready_.front()));
    ready_.pop_front();
    co_return event;
  }
  if (failure_) co_return std::unexpected(*failure_);
  co_return std::optional<chat::ChatEvent>{};
}

}  // namespace minimill::cloud
