#include "cloud/provider_stream.h"

#include <gtest/gtest.h>

#include "support/event_loop.h"

namespace minimill::cloud {
namespace {

using namespace std::chrono_literals;

/// Says the same for ever.
class Endless final : public http::Download {
 public:
  explicit Endless(std::string what) : what_(std::move(what)) {}
  int status() const override { return 200; }
  const http::Headers& headers() const override { return headers_; }
  asio::awaitable<Result<std::optional<std::string>>> read() override {
    co_return std::optional<std::string>(what_);
  }

 private:
  std::string what_;
  http::Headers headers_;
};

ProviderStream stream_of(std::string what, StreamGuard guard) {
  return ProviderStream("acme", chat::Protocol::kOpenAi, std::make_unique<Endless>(std::move(what)),
                        Frames::kNone, std::move(guard));
}

TEST(ProviderStream, ProviderThatOnlyKeepsTheConnectionAliveIsGivenUp) {
  test::EventLoop loop;
  ProviderStream stream = stream_of(": ping\n\n", {.secret = "", .event_timeout = 20ms});

  const Result<> begun = loop.run(stream.begin());

  ASSERT_FALSE(begun.has_value());
  EXPECT_EQ(begun.error().code, ErrorCode::kTimeout);
}

TEST(ProviderStream, ErrorInAStreamDoesNotRepeatTheKey) {
  test::EventLoop loop;
  ProviderStream stream =
      stream_of("data: {\"error\":{\"message\":\"bad key c0ffee0123456789\"}}\n\n",
                {.secret = "c0ffee0123456789", .event_timeout = 60s});

  const Result<> begun = loop.run(stream.begin());

  ASSERT_FALSE(begun.has_value());
  EXPECT_NE(begun.error().message.find("bad key ***"), std::string::npos) << begun.error().message;
}

}  // namespace
}  // namespace minimill::cloud
