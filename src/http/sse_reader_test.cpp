#include "http/sse_reader.h"

#include <gtest/gtest.h>

#include <vector>

namespace minimill::http {
namespace {

std::vector<SseEvent> read_all(const std::vector<std::string>& pieces) {
  SseReader reader;
  std::vector<SseEvent> events;
  for (const std::string& piece : pieces) {
    EXPECT_TRUE(reader.feed(piece).has_value());
    while (std::optional<SseEvent> event = reader.next()) events.push_back(*event);
  }
  return events;
}

const std::string kStream =
    "\xef\xbb\xbf: comment\n"
    "event: first\ndata: one\ndata: two\n\n"
    "data:three\r\n\r\n"
    "id: 7\rdata: {\"a\": \"\u00e4\"}\r\r"
    "event: no data\n\n"
    "data\n\n";

const std::vector<SseEvent> kEvents{
    {"first", "one\ntwo"}, {"", "three"}, {"", "{\"a\": \"\u00e4\"}"}, {"", ""}};

TEST(SseReader, ReadsEventsWithEveryLineEnding) { EXPECT_EQ(read_all({kStream}), kEvents); }

TEST(SseReader, AnySplitOfTheBytesGivesTheSameEvents) {
  for (std::size_t cut = 0; cut <= kStream.size(); ++cut) {
    EXPECT_EQ(read_all({kStream.substr(0, cut), kStream.substr(cut)}), kEvents) << "cut at " << cut;
  }
  std::vector<std::string> bytes;
  for (const char c : kStream) bytes.emplace_back(1, c);
  EXPECT_EQ(read_all(bytes), kEvents);
}

TEST(SseReader, HalfAnEventIsPendingAndNotGivenOut) {
  SseReader reader;
  ASSERT_TRUE(reader.feed("data: half").has_value());

  EXPECT_EQ(reader.next(), std::nullopt);
  EXPECT_TRUE(reader.pending());

  ASSERT_TRUE(reader.feed("\n\n").has_value());
  EXPECT_EQ(reader.next()->data, "half");
  EXPECT_FALSE(reader.pending());
}

TEST(SseReader, EventWithoutEndIsRefusedAtTheLimit) {
  SseReader reader;
  const std::string megabyte(1 << 20, 'x');
  Result<> fed = reader.feed("data: ");

  for (int i = 0; i < 5 && fed; ++i) fed = reader.feed(megabyte);

  ASSERT_FALSE(fed.has_value());
  EXPECT_EQ(fed.error().code, ErrorCode::kTooLarge);
}

TEST(SseReader, EndMakesAWholeEventOfOneWithoutItsBlankLine) {
  for (const char* bytes : {"data: x", "data: x\n"}) {
    SseReader reader;
    ASSERT_TRUE(reader.feed(bytes).has_value());

    reader.end();

    const std::optional<SseEvent> event = reader.next();
    ASSERT_TRUE(event.has_value()) << bytes;
    EXPECT_EQ(event->data, "x");
  }
}

}  // namespace
}  // namespace minimill::http
