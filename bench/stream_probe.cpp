// Both ends of a streamed chat, for bench/stream: an upstream that stamps every token with the
// moment it was sent, and a client that looks at the clock when it arrives. Both on this machine's
// steady clock.
//
//   stream_probe upstream                      prints its port, serves until it is killed
//   stream_probe measure PORT MODEL STREAMS TOKENS INTERVAL_US
//
// A request's max_tokens says how many tokens, its seed how many microseconds lie between them.

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/connect.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using Clock = std::chrono::steady_clock;

std::int64_t now_ns() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(Clock::now().time_since_epoch())
      .count();
}

/// The number after `key` in `text`, or `otherwise`.
std::int64_t number_after(std::string_view text, std::string_view key, std::int64_t otherwise) {
  const std::size_t at = text.find(key);
  if (at == std::string_view::npos) return otherwise;
  std::int64_t number = otherwise;
  const std::string_view rest = text.substr(at + key.size());
  const std::size_t digits = rest.find_first_of("0123456789");
  if (digits == std::string_view::npos) return otherwise;
  std::from_chars(rest.data() + digits, rest.data() + rest.size(), number);
  return number;
}

std::string chunked(std::string_view data) {
  return fmt::format("{:x}\r\n{}\r\n", data.size(), data);
}

asio::awaitable<void> answer(tcp::socket socket) {
  std::string request;
  const auto [ec, head] = co_await asio::async_read_until(
      socket, asio::dynamic_buffer(request), "\r\n\r\n", asio::as_tuple(asio::use_awaitable));
  if (ec) co_return;
  std::string lower = request.substr(0, head);
  std::ranges::transform(lower, lower.begin(), [](unsigned char c) { return std::tolower(c); });
  const auto body = static_cast<std::size_t>(number_after(lower, "content-length:", 0));
  while (request.size() < head + body) {
    std::array<char, 4096> more{};
    const auto [error, read] =
        co_await socket.async_read_some(asio::buffer(more), asio::as_tuple(asio::use_awaitable));
    if (error) co_return;
    request.append(more.data(), read);
  }
  const std::int64_t tokens = number_after(request, "\"max_tokens\"", 100);
  const std::chrono::microseconds interval{number_after(request, "\"seed\"", 1000)};
  std::string start =
      "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
  auto [written, count] =
      co_await asio::async_write(socket, asio::buffer(start), asio::as_tuple(asio::use_awaitable));
  asio::steady_timer timer(socket.get_executor());
  const Clock::time_point began = Clock::now();
  for (std::int64_t i = 0; i < tokens && !written; ++i) {
    timer.expires_at(began + i * interval);
    auto [waited] = co_await timer.async_wait(asio::as_tuple(asio::use_awaitable));
    if (waited) co_return;
    const std::string frame = chunked(fmt::format(
        R"(data: {{"id":"x","object":"chat.completion.chunk","created":1,"model":"probe","choices":[{{"index":0,"delta":{{"content":"#{}:{};"}},"finish_reason":null}}]}})"
        "\n\n",
        i, now_ns()));
    std::tie(written, count) = co_await asio::async_write(socket, asio::buffer(frame),
                                                          asio::as_tuple(asio::use_awaitable));
  }
  const std::string end =
      chunked(
          R"(data: {"id":"x","object":"chat.completion.chunk","created":1,"model":"probe","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]})"
          "\n\ndata: [DONE]\n\n") +
      "0\r\n\r\n";
  co_await asio::async_write(socket, asio::buffer(end), asio::as_tuple(asio::use_awaitable));
}

asio::awaitable<void> upstream(tcp::acceptor& acceptor) {
  while (true) {
    tcp::socket socket = co_await acceptor.async_accept(asio::use_awaitable);
    socket.set_option(tcp::no_delay(true));
    asio::co_spawn(acceptor.get_executor(), answer(std::move(socket)), asio::detached);
  }
}

struct Totals {
  std::vector<std::int64_t> delays_ns;
  std::int64_t out_of_order = 0;
  std::int64_t failed = 0;
};

/// Takes every "#n:stamp;" out of `text`, in order; returns where it stopped.
std::size_t take_tokens(std::string_view text, std::int64_t& next, std::int64_t arrived,
                        Totals& totals) {
  std::size_t done = 0;
  while (true) {
    const std::size_t at = text.find('#', done);
    const std::size_t end = text.find(';', at == std::string_view::npos ? text.size() : at);
    if (at == std::string_view::npos || end == std::string_view::npos)
      return at == std::string_view::npos ? text.size() : at;
    const std::int64_t number = number_after(text.substr(at, end - at), "#", -1);
    const std::int64_t stamp = number_after(text.substr(at, end - at), ":", 0);
    if (number != next) ++totals.out_of_order;
    next = number + 1;
    totals.delays_ns.push_back(arrived - stamp);
    done = end + 1;
  }
}

asio::awaitable<void> one_stream(tcp::endpoint server, std::string body, Totals& totals) {
  tcp::socket socket(co_await asio::this_coro::executor);
  const auto [ec] = co_await socket.async_connect(server, asio::as_tuple(asio::use_awaitable));
  if (ec) {
    ++totals.failed;
    co_return;
  }
  socket.set_option(tcp::no_delay(true));
  const std::string request = fmt::format(
      "POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
      "content-length: {}\r\n\r\n{}",
      body.size(), body);
  co_await asio::async_write(socket, asio::buffer(request), asio::as_tuple(asio::use_awaitable));
  std::string held;
  std::string tail;
  std::array<char, 65536> bytes{};
  std::int64_t next = 0;
  while (true) {
    const auto [error, read] =
        co_await socket.async_read_some(asio::buffer(bytes), asio::as_tuple(asio::use_awaitable));
    const std::int64_t arrived = now_ns();
    if (error) break;
    held.append(bytes.data(), read);
    tail.append(bytes.data(), read);
    if (tail.size() > 64) tail.erase(0, tail.size() - 64);
    held.erase(0, take_tokens(held, next, arrived, totals));
    if (tail.find("[DONE]") != std::string::npos) break;
  }
  if (next == 0) {
    ++totals.failed;
    if (totals.failed == 1) fmt::print(stderr, "no token came: {}\n", tail);
  }
}

double us_at(const std::vector<std::int64_t>& sorted, double share) {
  if (sorted.empty()) return 0;
  const auto index = static_cast<std::size_t>(share * static_cast<double>(sorted.size() - 1));
  return static_cast<double>(sorted[index]) / 1000;
}

int measure(unsigned short port, const std::string& model, int streams, int tokens,
            int interval_us) {
  asio::io_context io{1};
  Totals totals;
  const std::string body = fmt::format(
      R"({{"model":"{}","stream":true,"max_tokens":{},"seed":{},"messages":[{{"role":"user","content":"go"}}]}})",
      model, tokens, interval_us);
  const tcp::endpoint server(asio::ip::address_v4::loopback(), port);
  for (int i = 0; i < streams; ++i)
    asio::co_spawn(io, one_stream(server, body, totals), asio::detached);
  const Clock::time_point began = Clock::now();
  io.run();
  const double seconds = std::chrono::duration<double>(Clock::now() - began).count();
  std::ranges::sort(totals.delays_ns);
  const std::int64_t wanted = std::int64_t{streams} * tokens;
  const auto got = static_cast<std::int64_t>(totals.delays_ns.size());
  const auto slow =
      std::ranges::count_if(totals.delays_ns, [](std::int64_t ns) { return ns >= 20'000'000; });
  fmt::print(
      R"({{"wanted":{},"got":{},"out_of_order":{},"failed":{},"p50_us":{:.1f},"p99_us":{:.1f},"p999_us":{:.1f},"max_us":{:.1f},"over_20ms":{},"seconds":{:.2f}}})"
      "\n",
      wanted, got, totals.out_of_order, totals.failed, us_at(totals.delays_ns, 0.5),
      us_at(totals.delays_ns, 0.99), us_at(totals.delays_ns, 0.999), us_at(totals.delays_ns, 1),
      slow, seconds);
  return totals.failed == 0 ? 0 : 1;
}

int serve() {
  asio::io_context io{1};
  tcp::acceptor acceptor(io, tcp::endpoint(asio::ip::address_v4::loopback(), 0), true);
  acceptor.listen(4096);
  fmt::print("{}\n", acceptor.local_endpoint().port());
  std::fflush(stdout);
  asio::co_spawn(io, upstream(acceptor), asio::detached);
  io.run();
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string> words(argv + 1, argv + argc);
  if (words.size() == 1 && words[0] == "upstream") return serve();
  if (words.size() == 6 && words[0] == "measure") {
    return measure(static_cast<unsigned short>(std::stoi(words[1])), words[2], std::stoi(words[3]),
                   std::stoi(words[4]), std::stoi(words[5]));
  }
  fmt::print(stderr, "stream_probe upstream | measure PORT MODEL STREAMS TOKENS INTERVAL_US\n");
  return 2;
}
