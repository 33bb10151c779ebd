#include "distill/trace_store.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>

namespace minimill::distill {
namespace {

constexpr WallTime kNow{std::chrono::hours{24 * 365 * 50}};

class TraceStores : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = testing::TempDir() + "tracesXXXXXX";
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    folder_ = name;
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  TraceStore open() { return TraceStore::open(folder_ / "traces.db").value(); }

  /// The names of the files in which the bytes stand.
  std::vector<std::string> files_with(const std::string& bytes) const {
    std::vector<std::string> found;
    for (const auto& entry : std::filesystem::directory_iterator(folder_)) {
      std::ifstream in(entry.path(), std::ios::binary);
      const std::string all(std::istreambuf_iterator<char>(in), {});
      if (all.find(bytes) != std::string::npos) found.push_back(entry.path().filename());
    }
    return found;
  }

  std::filesystem::path folder_;
};

Trace trace(const std::string& id, const std::string& app = "mail") {
  return {.id = id,
          .at = kNow,
          .app = app,
          .operation = "triage",
          .request = "Which queue? MARKED-" + id + " mail",
          .answer = "card",
          .model = "big",
          .decision = R"({"lane":"cloud"})",
          .outcome = Teacher::kUnknown,
          .cost_usd = 0.01,
          .task = true,
          .local_only = false};
}

TEST_F(TraceStores, WhatIsKeptIsReadBackAsItWas) {
  TraceStore store = open();
  ASSERT_EQ(store.put(trace("a")), true);

  ASSERT_TRUE(store.judge("a", Teacher::kRight));

  Trace expected = trace("a");
  expected.outcome = Teacher::kRight;
  EXPECT_EQ(store.show("a"), expected);
  EXPECT_EQ(store.show("b").error().code, ErrorCode::kNotFound);
  EXPECT_EQ(store.judge("b", Teacher::kRight).error().code, ErrorCode::kNotFound);
}

TEST_F(TraceStores, OnlyItsOwnerReadsTheFile) {
  TraceStore store = open();
  ASSERT_TRUE(store.put(trace("a")));

  for (const auto& entry : std::filesystem::directory_iterator(folder_)) {
    struct stat info{};
    ASSERT_EQ(::stat(entry.path().c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 0777U, 0600U) << entry.path();
  }
}

TEST_F(TraceStores, AnAppsRuleDecidesWhatIsKept) {
  TraceStore store = open();
  Trace chat = trace("chat");
  chat.task = false;
  Trace secret = trace("secret");
  secret.local_only = true;

  EXPECT_EQ(store.put(trace("task")), true);
  EXPECT_EQ(store.put(chat), false);
  EXPECT_EQ(store.put(secret), false);
  ASSERT_TRUE(store.set_keep("mail", {.what = KeepRule::What::kAll, .local_only = true}));
  EXPECT_EQ(store.put(chat), true);
  EXPECT_EQ(store.put(secret), true);
  ASSERT_TRUE(store.set_keep("mail", {.what = KeepRule::What::kNothing}));
  EXPECT_EQ(store.put(trace("later")), false);
}

TEST_F(TraceStores, APurgeLeavesNoByte) {
  TraceStore store = open();
  for (int i = 0; i < 200; ++i) {
    ASSERT_TRUE(store.put(trace("x" + std::to_string(i), i % 2 == 0 ? "mail" : "crm")));
  }
  ASSERT_FALSE(files_with("MARKED-x42 ").empty());

  EXPECT_EQ(store.purge({.app = "mail"}), 100U);

  EXPECT_EQ(files_with("MARKED-x42 "), std::vector<std::string>());
  EXPECT_FALSE(files_with("MARKED-x43 ").empty());
  EXPECT_EQ(store.purge({}), 100U);
  EXPECT_EQ(files_with("MARKED"), std::vector<std::string>());
}

TEST_F(TraceStores, WhatItsRuleKeepsNoLongerGoes) {
  TraceStore store = open();
  ASSERT_TRUE(
      store.set_keep("crm", {.what = KeepRule::What::kTasks, .age = std::chrono::days(90)}));
  ASSERT_TRUE(store.put(trace("a")));
  ASSERT_TRUE(store.put(trace("b", "crm")));

  EXPECT_EQ(store.prune(kNow + std::chrono::days(31)), 1U);

  EXPECT_FALSE(store.show("a"));
  EXPECT_TRUE(store.show("b"));
}

TEST_F(TraceStores, TheOldestGoWhereThereIsTooMuch) {
  TraceStore store = TraceStore::open(folder_ / "traces.db", 1'000).value();
  for (int i = 0; i < 20; ++i) {
    Trace each = trace("n" + std::to_string(i));
    each.at += std::chrono::seconds(i);
    ASSERT_TRUE(store.put(each));
  }

  ASSERT_TRUE(store.prune(kNow));

  const auto left = store.list({}, 100).value();
  ASSERT_FALSE(left.empty());
  EXPECT_LE(left.size(), 4U);
  EXPECT_EQ(left.front().id, "n19");
}

TEST_F(TraceStores, ExportGoesFromTheOldestAndIsJson) {
  TraceStore store = open();
  for (const std::string id : {"b", "a"}) {
    Trace each = trace(id);
    each.at += std::chrono::seconds(id == "b" ? 0 : 1);
    ASSERT_TRUE(store.put(each));
  }

  std::vector<std::string> lines;
  ASSERT_TRUE(store.each({}, [&lines](const Trace& each) { lines.push_back(to_json_line(each)); }));

  ASSERT_EQ(lines.size(), 2U);
  EXPECT_NE(lines[0].find(R"("id":"b")"), std::string::npos);
  EXPECT_NE(lines[0].find(R"("decision":{"lane":"cloud"})"), std::string::npos);
}

}  // namespace
}  // namespace minimill::distill
