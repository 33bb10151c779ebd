#pragma once

// One end of a TCP or Unix connection that says exactly the bytes a test gives it, and reads what
// comes back. For HTTP as no well-behaved library would speak it.

#include <sys/socket.h>

#include <boost/asio/buffer.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/write.hpp>
#include <charconv>
#include <string>
#include <string_view>
#include <utility>

#include "support/event_loop.h"

namespace minimill::test {

class RawPeer {
 public:
  using Socket = boost::asio::generic::stream_protocol::socket;

  /// A parsed answer; `status` 0: the connection ended instead.
  struct Answer {
    int status = 0;
    std::string head;
    std::string body;
  };

  RawPeer(EventLoop& loop, Socket socket) : loop_(loop), socket_(std::move(socket)) {}

  /// "127.0.0.1:1234", "[::1]:1234" or "unix:/path".
  RawPeer(EventLoop& loop, std::string_view address) : loop_(loop), socket_(loop.io()) {
    socket_.connect(endpoint(address));
  }

  void send(std::string_view bytes) {
    bool done = false;
    boost::asio::async_write(
        socket_, boost::asio::buffer(bytes),
        [&done](const boost::system::error_code&, std::size_t) { done = true; });
    loop_.until([&done] { return done; });
  }

  /// Says no more, but still reads.
  void shut_down_sending() { socket_.shutdown(Socket::shutdown_send); }
  void close() { socket_.close(); }

  /// Reads until `text` has come; returns all up to its end. What came instead, if the end came
  /// first.
  std::string read_through(std::string_view text) {
    std::size_t at = buffer_.find(text);
    while (at == std::string::npos && read_more()) at = buffer_.find(text);
    return take(at == std::string::npos ? buffer_.size() : at + text.size());
  }

  std::string read_to_end() {
    while (read_more()) {
    }
    return take(buffer_.size());
  }

  /// One answer with Content-Length or chunks (joined).
  Answer answer(bool head_only = false) {
    Answer answer;
    answer.head = read_through("\r\n\r\n");
    constexpr std::string_view kVersion = "HTTP/1.1 ";
    if (!answer.head.starts_with(kVersion)) return {};
    std::from_chars(answer.head.data() + kVersion.size(), answer.head.data() + answer.head.size(),
                    answer.status);
    if (head_only) return answer;
    constexpr std::string_view kLength = "content-length: ";
    if (const auto at = answer.head.find(kLength); at != std::string::npos) {
      std::size_t size = 0;
      std::from_chars(answer.head.data() + at + kLength.size(),
                      answer.head.data() + answer.head.size(), size);
      while (buffer_.size() < size && read_more()) {
      }
      answer.body = take(std::min(size, buffer_.size()));
    } else if (answer.head.find("transfer-encoding: chunked") != std::string::npos) {
      answer.body = chunks();
    }
    return answer;
  }

  /// The connection's end, by whichever way.
  bool ended() {
    while (read_more()) {
    }
    return true;
  }

 private:
  static boost::asio::generic::stream_protocol::endpoint endpoint(std::string_view address) {
    namespace asio = boost::asio;
    constexpr std::string_view kUnix = "unix:";
    if (address.starts_with(kUnix)) {
      return asio::local::stream_protocol::endpoint(std::string(address.substr(kUnix.size())));
    }
    const std::size_t colon = address.rfind(':');
    std::string_view host = address.substr(0, colon);
    if (host.starts_with('[')) host = host.substr(1, host.size() - 2);
    asio::ip::port_type port = 0;
    std::from_chars(address.data() + colon + 1, address.data() + address.size(), port);
    return asio::ip::tcp::endpoint(asio::ip::make_address(std::string(host)), port);
  }

  bool read_more() {
    bool done = false;
    std::size_t got = 0;
    socket_.async_read_some(boost::asio::buffer(chunk_),
                            [&](const boost::system::error_code&, std::size_t bytes) {
                              done = true;
                              got = bytes;
                            });
    if (!loop_.until([&done] { return done; })) throw std::runtime_error("nothing comes");
    buffer_.append(chunk_, got);
    return got > 0;
  }

  std::string take(std::size_t size) {
    std::string taken = buffer_.substr(0, size);
    buffer_.erase(0, size);
    return taken;
  }

  std::string chunks() {
    std::string body;
    while (true) {
      const std::string line = read_through("\r\n");
      std::size_t size = 0;
      std::from_chars(line.data(), line.data() + line.size(), size, 16);
      while (buffer_.size() < size + 2 && read_more()) {
      }
      const std::string chunk = take(size + 2);
      if (size == 0 || chunk.size() < size + 2) return body;
      body += chunk.substr(0, size);
    }
  }

  EventLoop& loop_;
  Socket socket_;
  std::string buffer_;
  char chunk_[8192];
};

}  // namespace minimill::test
