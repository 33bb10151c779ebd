#pragma once

// One request for a chat in one wire format: how it is read, and how its answer, its stream and its
// errors are written. Lives as long as the request. ChatApi carries it out; everything that is the
// same in every protocol is there, and nothing of a wire format is.

#include <boost/asio/awaitable.hpp>
#include <string>
#include <string_view>

#include "http/server.h"
#include "serve/service.h"

namespace minimill::api {

namespace asio = boost::asio;

class Exchange {
 public:
  virtual ~Exchange() = default;

  /// Uses nothing but the request: where that is big, on another thread.
  virtual Result<chat::ChatRequest> read(const http::Request& request) = 0;
  /// Puts before what was read what it refers to (a conversation's history).
  virtual Result<> recall(const http::Request& /*request*/, chat::ChatRequest& /*chat*/) {
    return {};
  }

  /// Of what recall() took from elsewhere (a conversation's history): the request is held to the
  /// stricter of this and its own.
  virtual policy::Privacy privacy() const { return policy::Privacy::kAllow; }
  /// What is asked, once all of it is settled.
  virtual void settled(const policy::Request& /*request*/) {}

  /// The whole answer's body.
  virtual std::string answer(const serve::Served& served) = 0;

  /// A streamed answer: begin once, write per event, then finish or fail. Bytes are appended.
  virtual std::string_view stream_type() const { return "text/event-stream"; }
  virtual void begin(const serve::Serving& serving, std::string_view model, std::string& out) = 0;
  virtual void write(const chat::ChatEvent& event, std::string& out) = 0;
  /// What comes now is the next answer of several.
  virtual void next_choice() {}
  virtual void finish(std::string& out) = 0;
  virtual void fail(const Error& error, std::string& out) = 0;

  /// Awaited between answer() or finish() and the sending of what they wrote: what the protocol
  /// promises to remember.
  virtual asio::awaitable<Result<>> keep() { co_return Result<>{}; }

  /// The body of an answer that never began.
  virtual std::string error(const Error& error) const = 0;
};

}  // namespace minimill::api
