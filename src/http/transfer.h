#pragma once

// One request and its answer inside curl: options in, callbacks out, and an event to wait for.

#include <curl/curl.h>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <string>

#include "base/error.h"
#include "http/client.h"
#include "http/message.h"

namespace minimill::http {

/// No line breaks in headers or URL: neither must end up saying more than was meant.
Result<> check_request(const ClientRequest& request);

class Transfer {
 public:
  /// `whole`: the answer is gathered, over `max_buffered` it fails; else curl is paused at that
  /// much.
  Transfer(asio::io_context& io, CURL* easy, ClientRequest request, std::size_t max_buffered,
           bool whole);
  ~Transfer();
  Transfer(const Transfer&) = delete;
  Transfer& operator=(const Transfer&) = delete;

  CURL* easy() const { return easy_; }
  int status() const { return status_; }
  const Headers& headers() const { return headers_; }
  bool headers_done() const { return headers_done_; }
  bool is_done() const { return done_; }
  std::size_t buffered() const { return body_.size(); }

  /// What has come so far; lets a paused transfer go on.
  std::string take();
  Response take_response();
  /// How it ended, once done.
  Result<> outcome() const;

  /// Until something happens; kTimeout after the idle time-out, kCancelled.
  asio::awaitable<Result<>> wait();

  /// Called by the client when curl opens a connection for it.
  void opened(curl_socket_t socket) { socket_ = socket; }
  /// Called by the client when curl is through with it.
  void ended(CURLcode result);

 private:
  static std::size_t on_header(char* bytes, std::size_t size, std::size_t count, void* self);
  static int on_connected(void* self, char*, char*, int, int);
  static std::size_t on_body(char* bytes, std::size_t size, std::size_t count, void* self);
  void set_options();
  void set_method();
  void set_headers();
  void take_header(std::string_view line);
  void notify();
  std::string host() const;

  CURL* easy_;
  curl_socket_t socket_ = CURL_SOCKET_BAD;  // of a kept connection: not known
  ClientRequest request_;
  std::size_t max_buffered_;
  bool whole_;
  curl_slist* header_list_ = nullptr;
  asio::steady_timer event_;
  std::chrono::steady_clock::time_point last_activity_;
  std::size_t header_bytes_ = 0;
  int status_ = 0;
  Headers headers_;
  std::string body_;
  bool headers_done_ = false;
  bool paused_ = false;
  bool too_large_ = false;
  bool foreign_server_ = false;
  bool done_ = false;
  CURLcode result_ = CURLE_OK;
  char curl_message_[CURL_ERROR_SIZE] = {};
};

}  // namespace minimill::http
