#include "api/sessions.h"

#include <gtest/gtest.h>

#include "support/temp_dir.h"

namespace minimill::api {
namespace {

class SessionsTest : public testing::Test {
 protected:
  SessionsTest() {
    auto db = sqlite::Database::open(folder_ / "l.db", sqlite::Database::Mode::kReadWrite).value();
    EXPECT_TRUE(ledger::migrate_ledger(db).has_value());
    writer_ = std::make_unique<sqlite::Writer>(std::move(db));
    ledger_ =
        std::make_unique<ledger::Ledger>(ledger::Ledger::open(folder_ / "l.db", *writer_).value());
  }

  static http::Request request(const std::string& cookie, std::string site = "same-origin",
                               std::string method = "GET") {
    http::Request request;
    request.method = std::move(method);
    request.headers.add("host", "localhost:4177");
    if (!cookie.empty()) request.headers.add("cookie", "other=1; minimill-4177=" + cookie);
    if (!site.empty()) request.headers.add("sec-fetch-site", std::move(site));
    return request;
  }

  test::TempDir folder_;
  std::unique_ptr<sqlite::Writer> writer_;
  std::unique_ptr<ledger::Ledger> ledger_;
  ManualClock clock_;
};

TEST_F(SessionsTest, LinkLetsOneBrowserInOnce) {
  Sessions sessions(clock_, *ledger_);
  const std::string link = sessions.make_link().value();

  const std::string cookie = sessions.redeem(link).value();

  EXPECT_TRUE(sessions.knows(request(cookie)));
  EXPECT_EQ(sessions.redeem(link).error().code, ErrorCode::kForbidden);
  EXPECT_FALSE(sessions.knows(request("")));
  EXPECT_FALSE(sessions.knows(request(link)));  // the link is no cookie
}

TEST_F(SessionsTest, LinkIsGoodForMinutesAndACookieForDays) {
  Sessions sessions(clock_, *ledger_);
  const std::string late = sessions.make_link().value();
  clock_.advance(Sessions::kLinkLife);
  EXPECT_FALSE(sessions.redeem(late).has_value());

  const std::string cookie = sessions.redeem(sessions.make_link().value()).value();
  clock_.advance(Sessions::kLife);
  EXPECT_FALSE(sessions.knows(request(cookie)));
}

TEST_F(SessionsTest, CookieVouchesForNoPageOfAnotherPortOrSite) {
  Sessions sessions(clock_, *ledger_);
  const std::string cookie = sessions.redeem(sessions.make_link().value()).value();

  EXPECT_FALSE(sessions.knows(request(cookie, "same-site")));  // http://localhost:3000
  EXPECT_FALSE(sessions.knows(request(cookie, "cross-site")));
  http::Request other = request(cookie, "", "POST");
  EXPECT_FALSE(sessions.knows(other));  // says nothing of where it comes from
  other.headers.add("origin", "http://localhost:3000");
  EXPECT_FALSE(sessions.knows(other));
  http::Request own = request(cookie, "", "POST");
  own.headers.add("origin", "http://localhost:4177");
  EXPECT_TRUE(sessions.knows(own));
  EXPECT_TRUE(sessions.knows(request(cookie, "none")));  // typed in
}

TEST_F(SessionsTest, OpenPageOutlivesARestart) {
  std::string cookie;
  {
    Sessions sessions(clock_, *ledger_);
    cookie = sessions.redeem(sessions.make_link().value()).value();
  }
  writer_->flush();

  const Sessions again(clock_, *ledger_);

  EXPECT_TRUE(again.knows(request(cookie)));
  EXPECT_EQ(ledger_->load_state("page-sessions").value()->find(cookie), std::string::npos);
}

TEST_F(SessionsTest, ThereAreNeverMoreThanSoMany) {
  Sessions sessions(clock_, *ledger_);
  const std::string first = sessions.redeem(sessions.make_link().value()).value();
  for (std::size_t i = 0; i < Sessions::kMost; ++i) {
    clock_.advance(Millis{1});
    EXPECT_TRUE(sessions.redeem(sessions.make_link().value()).has_value());
  }

  EXPECT_FALSE(sessions.knows(request(first)));
}

}  // namespace
}  // namespace minimill::api
