#include "http/origin.h"

#include <gtest/gtest.h>

namespace minimill::http {
namespace {

Request post(Headers headers, std::string method = "POST") {
  Request request;
  request.method = std::move(method);
  request.path = "/minimill/v1/tasks";
  request.headers = std::move(headers);
  request.headers.add("Host", "127.0.0.1:4177");
  request.peer.address = "127.0.0.1:50000";
  return request;
}

const std::vector<std::string> kInvited{"https://app.example", "app://obsidian.md"};

ErrorCode refusal(const Request& request) {
  const Result<> checked = check_origin(request, kInvited);
  return checked ? ErrorCode::kInternal : checked.error().code;
}

TEST(Origin, PagesOfTheWebChangeNothing) {
  for (const char* origin :
       {"https://evil.example", "http://evil.example:4177", "null", "file://", "",
        "https://localhost.evil.example", "http://127.0.0.1.evil.example", "https://app.example:1",
        "http://localhost@evil.example", "http://localhost:1@evil.example", "localhost",
        "chrome-extension://abc", "ftp://localhost"}) {
    for (const char* method : {"POST", "PUT", "DELETE", "PATCH", "BREW"}) {
      EXPECT_EQ(refusal(post({{"Origin", origin}}, method)), ErrorCode::kForbidden) << origin;
    }
  }
}

TEST(Origin, RequestsThatAPageCausedWithoutAnOriginChangeNothing) {
  EXPECT_EQ(refusal(post({{"Sec-Fetch-Site", "cross-site"}})), ErrorCode::kForbidden);
  EXPECT_EQ(refusal(post({{"Sec-Fetch-Site", "same-site"}})), ErrorCode::kForbidden);
}

TEST(Origin, RefusalNamesThePageAndSaysWhatToDo) {
  const Result<> refused = check_origin(post({{"Origin", "https://evil.example"}}), kInvited);

  ASSERT_FALSE(refused.has_value());
  EXPECT_NE(refused.error().message.find("https://evil.example"), std::string::npos);
  EXPECT_NE(refused.error().hint.find("[server] origins"), std::string::npos);
}

TEST(Origin, ProgramsAndPagesOfThisMachineMay) {
  EXPECT_TRUE(check_origin(post({}), {}).has_value());
  for (const char* origin :
       {"http://localhost:3000", "http://127.0.0.1:4177", "https://[::1]:80", "HTTP://LocalHost"}) {
    EXPECT_TRUE(check_origin(post({{"Origin", origin}, {"Sec-Fetch-Site", "cross-site"}}), {}))
        << origin;
  }
  EXPECT_TRUE(check_origin(post({{"Sec-Fetch-Site", "none"}}), {}).has_value());
  EXPECT_TRUE(check_origin(post({{"Sec-Fetch-Site", "same-origin"}}), {}).has_value());
}

TEST(Origin, PagesOfTheHostThatIsAskedMay) {
  Request request = post({{"Origin", "http://mill.lan:4177"}});
  request.headers.set("Host", "mill.lan:4177");

  EXPECT_TRUE(check_origin(request, {}).has_value());

  request.headers.set("Host", "mill.lan:80");
  EXPECT_FALSE(check_origin(request, {}).has_value());
}

TEST(Origin, InvitedPagesMay) {
  EXPECT_TRUE(check_origin(post({{"Origin", "https://app.example"}}), kInvited).has_value());
  EXPECT_TRUE(check_origin(post({{"Origin", "app://obsidian.md"}}), kInvited).has_value());
}

TEST(Origin, ReadingIsForTheBrowserToRefuse) {
  EXPECT_TRUE(check_origin(post({{"Origin", "https://evil.example"}}, "GET"), {}).has_value());
}

TEST(Origin, UnixSocketIsReachedByNoBrowser) {
  Request request = post({{"Origin", "https://evil.example"}, {"Content-Type", "text/plain"}});
  request.peer = {.address = "unix", .uid = 1000};

  EXPECT_TRUE(check_origin(request, {}).has_value());
}

TEST(Origin, BodiesThatPagesCanSendUnaskedAreNotTaken) {
  for (const char* type :
       {"text/plain", "text/plain;charset=UTF-8", "multipart/form-data; boundary=x",
        "application/octet-stream", "application/jsonx"}) {
    EXPECT_EQ(refusal(post({{"Content-Type", type}})), ErrorCode::kInvalidArgument) << type;
  }
  EXPECT_EQ(refusal(post({{"Content-Type", "application/x-www-form-urlencoded"},
                          {"Origin", "http://localhost:3000"}})),
            ErrorCode::kInvalidArgument);
}

TEST(Origin, JsonAndWhatCurlSaysAreTaken) {
  for (const char* type : {"application/json", "Application/JSON; charset=utf-8", "",
                           "application/x-www-form-urlencoded"}) {
    EXPECT_TRUE(check_origin(post({{"Content-Type", type}}), {}).has_value()) << type;
  }
}

TEST(GivenOnce, SecondHeaderOfThePrefixIsRefusedByName) {
  const Headers twice{{"X-Minimill-Privacy", "allow"}, {"x-minimill-privacy", "local-only"}};

  const Result<> refused = check_given_once(twice, "x-minimill-");

  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(refused.error().field, "x-minimill-privacy");
}

TEST(GivenOnce, OthersMayBeGivenTwice) {
  const Headers headers{{"accept", "a"},
                        {"Accept", "b"},
                        {"x-minimill-privacy", "allow"},
                        {"x-minimill-trace", "allow"}};

  EXPECT_TRUE(check_given_once(headers, "x-minimill-").has_value());
}

}  // namespace
}  // namespace minimill::http
