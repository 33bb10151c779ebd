#include <gtest/gtest.h>
#include <sys/stat.h>

#include "policy/app_store.h"
#include "policy/key.h"
#include "policy/limits.h"
#include "support/temp_dir.h"

namespace minimill::policy {
namespace {

using namespace std::chrono_literals;

App app_named(std::string name) {
  App app;
  app.name = std::move(name);
  return app;
}

const WallTime kNow = from_unix_ms(1'795'000'000'000);

TEST(Key, IsLongRandomAndOnlyItsHashIsKnown) {
  const std::string one = make_key().value();
  const std::string other = make_key().value();

  EXPECT_TRUE(one.starts_with("mm-"));
  EXPECT_EQ(one.size(), 3U + 43U);
  EXPECT_NE(one, other);
  EXPECT_EQ(hash_of(one).size(), 64U);
  EXPECT_TRUE(same_hash(hash_of(one), hash_of(one)));
  EXPECT_FALSE(same_hash(hash_of(one), hash_of(other)));
  EXPECT_FALSE(same_hash(hash_of(one), ""));
}

TEST(AppStore, KeyLeadsToItsAppAndNoOther) {
  AppStore store = AppStore::open(":memory:").value();
  App mail = app_named("mail");
  mail.requests_per_minute = 10;
  mail.usd_per_day = 0.5;
  mail.lane = chat::Lane::kLocal;
  mail.models = {"auto", "gpt-*"};
  mail.privacy = policy::Privacy::kLocalOnly;

  const std::string key = store.add_key(mail, kNow).value();
  const std::string second = store.add_key(app_named("editor"), kNow).value();

  ASSERT_NE(store.find(key), nullptr);
  EXPECT_EQ(*store.find(key), mail);
  EXPECT_EQ(store.find(second)->name, "editor");
  EXPECT_EQ(store.find(key + "x"), nullptr);
  EXPECT_EQ(store.find(""), nullptr);
}

TEST(AppStore, FileHoldsNoKeyAndIsItsOwnersOnly) {
  const test::TempDir folder;
  const std::filesystem::path path = folder.path() / "apps.db";
  std::string key;
  {
    AppStore store = AppStore::open(path).value();
    key = store.add_key(app_named("mail"), kNow).value();
  }

  struct stat status{};
  ASSERT_EQ(::stat(path.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777U, 0600U);
  for (const auto& entry : std::filesystem::directory_iterator(folder.path())) {
    std::string bytes(std::filesystem::file_size(entry.path()), '\0');
    std::FILE* file = std::fopen(entry.path().c_str(), "rb");
    ASSERT_EQ(std::fread(bytes.data(), 1, bytes.size(), file), bytes.size());
    std::fclose(file);
    EXPECT_EQ(bytes.find(key), std::string::npos) << entry.path();
  }
  AppStore again = AppStore::open(path).value();
  EXPECT_NE(again.find(key), nullptr);
}

TEST(AppStore, ChangeByAnotherProcessIsSeenAtTheNextRefresh) {
  const test::TempDir folder;
  const std::filesystem::path path = folder.path() / "apps.db";
  AppStore daemon = AppStore::open(path).value();
  AppStore command_line = AppStore::open(path).value();

  const std::string key = command_line.add_key(app_named("mail"), kNow).value();
  EXPECT_EQ(daemon.find(key), nullptr);
  ASSERT_TRUE(daemon.refresh().has_value());
  EXPECT_NE(daemon.find(key), nullptr);

  ASSERT_TRUE(command_line.remove_app("mail").has_value());
  ASSERT_TRUE(daemon.refresh().has_value());
  EXPECT_EQ(daemon.find(key), nullptr);
  EXPECT_FALSE(daemon.has_keys());
}

TEST(AppStore, KeyIsTakenBackAloneAndAppWithAllItsKeys) {
  AppStore store = AppStore::open(":memory:").value();
  const std::string first = store.add_key(app_named("mail"), kNow).value();
  const std::string second = store.add_key(app_named("mail"), kNow).value();

  ASSERT_TRUE(store.remove_key(first.substr(0, 11)).has_value());
  EXPECT_EQ(store.find(first), nullptr);
  EXPECT_NE(store.find(second), nullptr);
  ASSERT_TRUE(store.remove_app("mail").has_value());
  EXPECT_EQ(store.find(second), nullptr);
  EXPECT_EQ(store.remove_app("mail").error().code, ErrorCode::kNotFound);
  EXPECT_EQ(store.remove_key("mm-none").error().code, ErrorCode::kNotFound);
}

TEST(AppStore, NamesAndNumbersThatAreNoneAreRefused) {
  AppStore store = AppStore::open(":memory:").value();
  for (const char* name : {"", "Mail", "a b", "a/b", "ä"}) {
    EXPECT_EQ(store.set(app_named(name)).error().field, "app") << name;
  }
  App app = app_named("mail");
  app.usd_per_day = -1;
  EXPECT_EQ(store.set(app).error().field, "usd_per_day");
  app = app_named("mail");
  app.requests_per_minute = 0;
  EXPECT_EQ(store.set(app).error().field, "requests_per_minute");
}

TEST(App, AsksForModelsByNameOrBeginning) {
  App app = app_named("mail");
  EXPECT_TRUE(may_ask_for(app, "anything"));
  app.models = {"auto", "gpt-*"};
  EXPECT_TRUE(may_ask_for(app, "auto"));
  EXPECT_TRUE(may_ask_for(app, "gpt-5"));
  EXPECT_FALSE(may_ask_for(app, "cloud"));
  EXPECT_FALSE(may_ask_for(app, "gpt"));
}

TEST(Limits, RequestsOfAMinuteMayComeAtOnceAndThenEvenly) {
  ManualClock clock;
  Limits limits(clock);
  App app = app_named("mail");
  app.requests_per_minute = 3;

  for (int i = 0; i < 3; ++i) EXPECT_TRUE(limits.take_request(app).has_value()) << i;
  const Result<> fourth = limits.take_request(app);
  ASSERT_FALSE(fourth.has_value());
  EXPECT_EQ(fourth.error().code, ErrorCode::kRateLimited);
  EXPECT_EQ(fourth.error().retry_after, 20'000ms);

  clock.advance(20s);
  EXPECT_TRUE(limits.take_request(app).has_value());
  EXPECT_FALSE(limits.take_request(app).has_value());
}

TEST(Limits, AppWithoutLimitsIsNotLimited) {
  ManualClock clock;
  Limits limits(clock);
  const App app = app_named("mail");

  for (int i = 0; i < 1000; ++i) EXPECT_TRUE(limits.take_request(app).has_value());
}

}  // namespace
}  // namespace minimill::policy
