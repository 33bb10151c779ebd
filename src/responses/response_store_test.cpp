#include "responses/response_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <utility>

#include "base/json.h"
#include "protocol/responses.h"
#include "support/event_loop.h"
#include "support/temp_dir.h"

namespace minimill::responses {
namespace {

using chat::Role;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

const policy::Scope kAll = policy::Scope::everything();

StoredResponse response(std::string id, std::string previous, std::string_view asked,
                        std::string_view answered) {
  const auto request = protocol::responses::parse_responses_request(
      json::serialize(json::object{{"model", "m"}, {"input", asked}}));
  chat::AnswerParts said;
  said.text = answered;
  const chat::ChatAnswer answer(std::move(said));
  const protocol::responses::ResponseHead head{
      .id = id, .model = "m", .created_s = 7, .echo = request->echo};
  return {.id = std::move(id),
          .previous_id = std::move(previous),
          .input_items = request->input_items,
          .response = protocol::responses::response_object(head, answer),
          .app = {},
          .privacy = policy::Privacy::kAllow};
}

struct ResponseStoreTest : ::testing::Test {
  ResponseStore open(Keep keep = {}) {
    return ResponseStore::open(folder / "r.db", clock, keep).value();
  }
  Result<> put(ResponseStore& store, StoredResponse stored) {
    return loop.run(store.put(std::move(stored)));
  }
  /// Behind the store's back.
  void damage(const char* sql) {
    auto db = sqlite::Database::open(folder / "r.db", sqlite::Database::Mode::kReadWrite).value();
    ASSERT_TRUE(db.exec(sql).has_value());
  }

  const test::TempDir folder;
  ManualClock clock;
  test::EventLoop loop;
};

TEST_F(ResponseStoreTest, WhatIsPutIsThereAfterReopening) {
  const StoredResponse stored = response("resp_1", "", "hi", "hello");
  {
    ResponseStore store = open();
    ASSERT_TRUE(put(store, stored).has_value());
    EXPECT_EQ(store.get("resp_1", kAll).value(), stored.response);
  }
  ResponseStore store = open();

  EXPECT_EQ(json::serialize(store.get("resp_1", kAll).value()), json::serialize(stored.response));
  EXPECT_EQ(json::serialize(store.input_items("resp_1", kAll).value()),
            R"([{"type":"message","role":"user","content":[{"type":"input_text","text":"hi"}],)"
            R"("id":"item_1_0"}])");
}

TEST_F(ResponseStoreTest, HistoryIsTheWholeConversationInOrder) {
  ResponseStore store = open();
  ASSERT_TRUE(put(store, response("resp_1", "", "a", "b")).has_value());
  ASSERT_TRUE(put(store, response("resp_2", "resp_1", "c", "d")).has_value());
  ASSERT_TRUE(put(store, response("resp_3", "resp_1", "other", "branch")).has_value());

  EXPECT_THAT(
      store.history("resp_2", kAll).value().messages,
      ElementsAre(chat::text_message(Role::kUser, "a"), chat::text_message(Role::kAssistant, "b"),
                  chat::text_message(Role::kUser, "c"), chat::text_message(Role::kAssistant, "d")));
}

TEST_F(ResponseStoreTest, CallsMeetTheirResultsInTheNextResponse) {
  ResponseStore store = open();
  StoredResponse asking = response("resp_1", "", "weather?", "");
  asking.response["output"] = parse_json(R"([
      {"type":"reasoning","id":"rs_1_0","status":"completed","summary":[]},
      {"type":"function_call","id":"fc_1_1","status":"completed","call_id":"c1","name":"f",
       "arguments":"{}"}])")
                                  .value();
  StoredResponse answering = response("resp_2", "resp_1", "", "rain");
  answering.input_items =
      parse_json(R"([{"type":"function_call_output","call_id":"c1","output":"wet"}])")
          .value()
          .as_array();
  ASSERT_TRUE(put(store, asking).has_value());
  ASSERT_TRUE(put(store, answering).has_value());

  EXPECT_THAT(store.history("resp_2", kAll).value().messages,
              ElementsAre(chat::text_message(Role::kUser, "weather?"),
                          chat::Message{Role::kAssistant, {chat::ToolCall{"c1", "f", "{}"}}},
                          chat::Message{Role::kTool, {chat::ToolResult{"c1", "wet"}}},
                          chat::text_message(Role::kAssistant, "rain")));
}

TEST_F(ResponseStoreTest, WhatIsRemovedIsGone) {
  ResponseStore store = open();
  ASSERT_TRUE(put(store, response("resp_1", "", "a", "b")).has_value());
  ASSERT_TRUE(put(store, response("resp_2", "resp_1", "c", "d")).has_value());

  ASSERT_TRUE(loop.run(store.remove("resp_1", kAll)).has_value());

  EXPECT_EQ(store.get("resp_1", kAll).error().code, ErrorCode::kNotFound);
  EXPECT_EQ(store.input_items("resp_1", kAll).error().code, ErrorCode::kNotFound);
  EXPECT_EQ(loop.run(store.remove("resp_1", kAll)).error().code, ErrorCode::kNotFound);
  EXPECT_TRUE(store.get("resp_2", kAll).has_value());
  const Error broken = store.history("resp_2", kAll).error();
  EXPECT_EQ(broken.code, ErrorCode::kNotFound);
  EXPECT_EQ(broken.field, "previous_response_id");
  EXPECT_THAT(broken.message, HasSubstr("resp_1"));
}

TEST_F(ResponseStoreTest, WhatIsRemovedIsInNoFile) {
  {
    ResponseStore store = open();
    ASSERT_TRUE(put(store, response("resp_1", "", "swordfish", "b")).has_value());
    ASSERT_TRUE(loop.run(store.remove("resp_1", kAll)).has_value());
  }

  for (const auto& file : std::filesystem::directory_iterator(folder.path())) {
    std::ifstream in(file.path(), std::ios::binary);
    const std::string bytes(std::istreambuf_iterator<char>(in), {});
    EXPECT_EQ(bytes.find("swordfish"), std::string::npos) << file.path();
  }
}

TEST_F(ResponseStoreTest, IdIsTakenOnce) {
  ResponseStore store = open();
  ASSERT_TRUE(put(store, response("resp_1", "", "a", "b")).has_value());

  EXPECT_EQ(put(store, response("resp_1", "", "x", "y")).error().code, ErrorCode::kConflict);
  EXPECT_THAT(json::serialize(store.get("resp_1", kAll).value()), HasSubstr(R"("text":"b")"));
}

TEST_F(ResponseStoreTest, WhatIsAnotherAppsDoesNotExist) {
  ResponseStore store = open();
  StoredResponse of_mail = response("resp_1", "", "the PIN", "is 4711");
  of_mail.app = "mail";
  ASSERT_TRUE(put(store, of_mail).has_value());
  const policy::Scope mail = policy::Scope::of_app("mail");
  const policy::Scope spy = policy::Scope::of_app("spy");

  EXPECT_EQ(store.get("resp_1", spy).error().code, ErrorCode::kNotFound);
  EXPECT_EQ(store.input_items("resp_1", spy).error().code, ErrorCode::kNotFound);
  EXPECT_EQ(store.history("resp_1", spy).error().code, ErrorCode::kNotFound);
  EXPECT_EQ(loop.run(store.remove("resp_1", spy)).error().code, ErrorCode::kNotFound);

  EXPECT_TRUE(store.get("resp_1", mail).has_value());
  EXPECT_TRUE(store.input_items("resp_1", mail).has_value());
  EXPECT_TRUE(store.history("resp_1", mail).has_value());
  EXPECT_TRUE(store.get("resp_1", kAll).has_value());
  EXPECT_TRUE(loop.run(store.remove("resp_1", mail)).has_value());
}

TEST_F(ResponseStoreTest, ConversationGoesOnWithoutAnotherAppsTurns) {
  ResponseStore store = open();
  StoredResponse of_mail = response("resp_1", "", "a", "b");
  of_mail.app = "mail";
  StoredResponse of_spy = response("resp_2", "resp_1", "c", "d");
  of_spy.app = "spy";
  ASSERT_TRUE(put(store, of_mail).has_value());
  ASSERT_TRUE(put(store, of_spy).has_value());

  EXPECT_EQ(store.history("resp_2", policy::Scope::of_app("spy")).error().code,
            ErrorCode::kNotFound);
}

TEST_F(ResponseStoreTest, ConversationIsAsPrivateAsItsMostPrivateTurn) {
  using policy::Privacy;
  ResponseStore store = open();
  const auto put_turn = [&](const char* id, const char* previous, Privacy privacy) {
    StoredResponse turn = response(id, previous, "a", "b");
    turn.privacy = privacy;
    ASSERT_TRUE(put(store, std::move(turn)).has_value());
  };
  put_turn("resp_1", "", Privacy::kAllow);
  put_turn("resp_2", "resp_1", Privacy::kLocalOnly);
  put_turn("resp_3", "resp_2", Privacy::kAllow);

  EXPECT_EQ(store.history("resp_1", kAll).value().privacy, Privacy::kAllow);
  EXPECT_EQ(store.history("resp_2", kAll).value().privacy, Privacy::kLocalOnly);
  EXPECT_EQ(store.history("resp_3", kAll).value().privacy, Privacy::kLocalOnly);
}

TEST_F(ResponseStoreTest, FileOfBeforePrivacyWasKeptIsTheOwnersAndLocalOnly) {
  {
    auto db = sqlite::Database::open(folder / "r.db", sqlite::Database::Mode::kReadWrite).value();
    ASSERT_TRUE(
        db.exec("CREATE TABLE schema_versions("
                "component TEXT PRIMARY KEY, version INTEGER NOT NULL) WITHOUT ROWID;"
                "INSERT INTO schema_versions VALUES('responses', 1);"
                "CREATE TABLE responses("
                "  id TEXT PRIMARY KEY, created_ms INTEGER NOT NULL, previous TEXT NOT NULL,"
                "  input BLOB NOT NULL, output BLOB NOT NULL, response BLOB NOT NULL);"
                "INSERT INTO responses VALUES('resp_1', 1, '',"
                "  CAST('[]' AS BLOB), CAST('[]' AS BLOB), CAST('{}' AS BLOB))")
            .has_value());
  }
  ResponseStore store = open();

  EXPECT_TRUE(store.get("resp_1", kAll).has_value());
  EXPECT_EQ(store.history("resp_1", kAll).value().privacy, policy::Privacy::kLocalOnly);
  EXPECT_EQ(store.get("resp_1", policy::Scope::of_app("mail")).error().code, ErrorCode::kNotFound);
}

TEST_F(ResponseStoreTest, OldOnesGoWithTheNextPut) {
  ResponseStore store = open();
  ASSERT_TRUE(put(store, response("resp_1", "", "a", "b")).has_value());
  clock.advance(std::chrono::days(20));
  ASSERT_TRUE(put(store, response("resp_2", "", "a", "b")).has_value());
  clock.advance(std::chrono::days(11));
  ASSERT_TRUE(put(store, response("resp_3", "", "a", "b")).has_value());

  EXPECT_EQ(store.get("resp_1", kAll).error().code, ErrorCode::kNotFound);
  EXPECT_TRUE(store.get("resp_2", kAll).has_value());
  EXPECT_TRUE(store.get("resp_3", kAll).has_value());
}

TEST_F(ResponseStoreTest, OldestGoWhereItGrowsTooLarge) {
  ResponseStore store = open({.bytes = 256 << 10});
  const std::string much(16 << 10, 'x');
  for (int i = 0; i < 64; ++i) {
    clock.advance(std::chrono::seconds(1));
    ASSERT_TRUE(put(store, response("resp_" + std::to_string(i), "", much, "b")).has_value());
  }

  EXPECT_EQ(store.get("resp_0", kAll).error().code, ErrorCode::kNotFound);
  EXPECT_TRUE(store.get("resp_60", kAll).has_value());
  EXPECT_TRUE(store.get("resp_63", kAll).has_value());
  EXPECT_LT(std::filesystem::file_size(folder / "r.db"), 512U << 10);
}

TEST_F(ResponseStoreTest, LongConversationsAreRefused) {
  ResponseStore store = open();
  std::string previous;
  for (std::size_t i = 0; i <= kMaxHistoryResponses; ++i) {
    std::string id = "resp_" + std::to_string(i);
    ASSERT_TRUE(put(store, response(id, previous, "a", "b")).has_value());
    previous = std::move(id);
  }

  EXPECT_EQ(store.history("resp_255", kAll).value().messages.size(), 2 * kMaxHistoryResponses);
  EXPECT_EQ(store.history("resp_256", kAll).error().code, ErrorCode::kTooLarge);
}

TEST_F(ResponseStoreTest, LargeConversationsAreRefused) {
  ResponseStore store = open();
  const std::string much(kMaxHistoryBytes / 2, 'x');
  ASSERT_TRUE(put(store, response("resp_1", "", much, "b")).has_value());
  ASSERT_TRUE(put(store, response("resp_2", "resp_1", much, "b")).has_value());

  EXPECT_TRUE(store.history("resp_1", kAll).has_value());
  EXPECT_EQ(store.history("resp_2", kAll).error().code, ErrorCode::kTooLarge);
}

TEST_F(ResponseStoreTest, ChainThatBitesItsTailIsCorrupt) {
  ResponseStore store = open();
  ASSERT_TRUE(put(store, response("resp_1", "resp_2", "a", "b")).has_value());
  ASSERT_TRUE(put(store, response("resp_2", "resp_1", "c", "d")).has_value());

  EXPECT_EQ(store.history("resp_2", kAll).error().code, ErrorCode::kCorrupt);
}

TEST_F(ResponseStoreTest, DamagedRowsAreErrorsNotAnswers) {
  const std::pair<const char*, std::string> cases[] = {
      {"UPDATE responses SET input = 'oops{'", "i"},
      {"UPDATE responses SET input = '{}'", "i"},
      {"UPDATE responses SET input = '[{\"type\":\"song\"}]'", "h"},
      {"UPDATE responses SET output = ''", "h"},
      {"UPDATE responses SET output = '5'", "g"},
      {"UPDATE responses SET response = x'ff00'", "g"},
  };
  for (const auto& [sql, reader] : cases) {
    std::filesystem::remove(folder / "r.db");
    std::filesystem::remove(folder / "r.db-wal");
    std::filesystem::remove(folder / "r.db-shm");
    ResponseStore store = open();
    ASSERT_TRUE(put(store, response("resp_1", "", "a", "b")).has_value());
    damage(sql);

    if (reader == "g") {
      EXPECT_EQ(store.get("resp_1", kAll).error().code, ErrorCode::kCorrupt) << sql;
    } else {
      EXPECT_EQ(store.history("resp_1", kAll).error().code, ErrorCode::kCorrupt) << sql;
    }
    if (reader == "i") {
      EXPECT_EQ(store.input_items("resp_1", kAll).error().code, ErrorCode::kCorrupt) << sql;
    }
  }
}

TEST_F(ResponseStoreTest, FileOfANewerMinimillIsLeftAlone) {
  {
    const ResponseStore store = open();
  }
  damage("UPDATE schema_versions SET version = 99");

  EXPECT_EQ(ResponseStore::open(folder / "r.db", clock).error().code, ErrorCode::kConflict);
}

TEST_F(ResponseStoreTest, NothingIsFoundByNoName) {
  ResponseStore store = open();

  EXPECT_EQ(store.get("", kAll).error().code, ErrorCode::kNotFound);
  EXPECT_LT(store.get(std::string(1 << 20, 'x'), kAll).error().message.size(), 100U);
  EXPECT_TRUE(store.history("", kAll).value().messages.empty());
}

}  // namespace
}  // namespace minimill::responses
