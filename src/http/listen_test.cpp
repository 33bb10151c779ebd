#include <gtest/gtest.h>

#include <filesystem>

#include "http/server_fixture.h"
#include "support/temp_dir.h"

namespace minimill::http {
namespace {

TEST_F(HttpServer, OccupiedPortIsAConflictThatNamesTheAddress) {
  serve_echo();
  Server other(loop.io(), {}, [](Request& request, Responder& out) { return echo(request, out); });

  const Result<std::string> bound = other.listen(at);

  ASSERT_FALSE(bound.has_value());
  EXPECT_EQ(bound.error().code, ErrorCode::kConflict);
  EXPECT_NE(bound.error().message.find(at), std::string::npos);
  EXPECT_FALSE(bound.error().hint.empty());
}

TEST_F(HttpServer, AddressesThatAreNoneAreRefused) {
  Server none(loop.io(), {}, [](Request& request, Responder& out) { return echo(request, out); });

  for (const char* address : {"", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536", "127.0.0.1:x",
                              ":80", "example.com:80", "[::1:80", "127.0.0.1:-1"}) {
    const Result<std::string> bound = none.listen(address);
    ASSERT_FALSE(bound.has_value()) << address;
    EXPECT_EQ(bound.error().code, ErrorCode::kInvalidArgument) << address;
  }
}

TEST_F(HttpServer, ListensOnIpv6) {
  Server six(loop.io(), {}, [](Request& request, Responder& out) { return echo(request, out); });
  const Result<std::string> bound = six.listen("[::1]:0");
  if (!bound) GTEST_SKIP() << "no IPv6 here: " << bound.error().message;
  RawPeer peer(loop, *bound);

  peer.send("GET /a HTTP/1.1\r\nHost: " + *bound + "\r\n\r\n");

  EXPECT_EQ(peer.answer().status, 200);
}

TEST_F(HttpServer, UnixSocketNeedsNoHostAndIsItsOwnersOnly) {
  const test::TempDir folder;
  const std::string path = (folder.path() / "socket").string();
  serve([](Request& request, Responder& out) { return echo(request, out); }, {}, "unix:" + path);
  RawPeer peer = connect();

  peer.send("GET /a HTTP/1.1\r\nHost: whatever.example\r\n\r\n");

  EXPECT_EQ(peer.answer().status, 200);
  const auto permissions = std::filesystem::status(path).permissions();
  EXPECT_EQ(permissions & std::filesystem::perms::all,
            std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
  loop.run(server->stop(0ms));
  EXPECT_FALSE(std::filesystem::exists(path));
}

TEST_F(HttpServer, SocketFileOfTheDeadIsReplacedAndOfTheLivingIsNot) {
  const test::TempDir folder;
  const std::string path = (folder.path() / "socket").string();
  {
    asio::local::stream_protocol::acceptor dead(loop.io(),
                                                asio::local::stream_protocol::endpoint(path));
  }
  ASSERT_TRUE(std::filesystem::exists(path));

  serve([](Request& request, Responder& out) { return echo(request, out); }, {}, "unix:" + path);
  Server other(loop.io(), {}, [](Request& request, Responder& out) { return echo(request, out); });
  const Result<std::string> second = other.listen("unix:" + path);

  ASSERT_FALSE(second.has_value());
  EXPECT_EQ(second.error().code, ErrorCode::kConflict);
  EXPECT_EQ(exchange(kGet).status, 200);
}

TEST_F(HttpServer, FileThatIsNoSocketIsNotReplaced) {
  const test::TempDir folder;
  const std::string path = (folder.path() / "precious").string();
  std::filesystem::create_directory(path);
  Server none(loop.io(), {}, [](Request& request, Responder& out) { return echo(request, out); });

  EXPECT_FALSE(none.listen("unix:" + path).has_value());
  EXPECT_TRUE(std::filesystem::exists(path));
}

}  // namespace
}  // namespace minimill::http
