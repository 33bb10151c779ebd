// One truth: a client gets what an edited answer says, whole or streamed, in whichever protocol it
// speaks, and nothing of what it said before.

#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

#include "chat/edited_stream.h"
#include "protocol/anthropic.h"
#include "protocol/completions.h"
#include "protocol/ollama.h"
#include "protocol/openai.h"
#include "protocol/responses.h"
#include "support/event_loop.h"

namespace minimill::protocol {
namespace {

using chat::ChatAnswer;
using chat::ChatEvent;

constexpr std::string_view kOpenAiAnswer =
    R"({"id":"i","object":"chat.completion","created":1,"model":"real","choices":[{"index":0,
    "message":{"role":"assistant","content":"OLD-text"},"finish_reason":"stop"}],
    "usage":{"prompt_tokens":1,"completion_tokens":1,"total_tokens":2}})";
constexpr std::string_view kAnthropicAnswer =
    R"({"id":"i","type":"message","role":"assistant","model":"real","content":[
    {"type":"text","text":"OLD-text"}],"stop_reason":"end_turn","stop_sequence":null,
    "usage":{"input_tokens":1,"output_tokens":1}})";

responses::ResponseHead head() {
  return {.id = "resp_1", .model = "m", .created_s = 1, .echo = {}};
}

namespace json = boost::json;

using Write = std::function<std::string(const ChatAnswer&)>;

/// In every protocol that a client may speak.
std::vector<Write> whole_writers() {
  return {[](const ChatAnswer& answer) { return openai::write_answer(answer, "i", 1); },
          [](const ChatAnswer& answer) { return anthropic::write_answer(answer, "i"); },
          [](const ChatAnswer& answer) {
            return json::serialize(responses::response_object(head(), answer));
          },
          [](const ChatAnswer& answer) { return completions::write_answer(answer, "i", 1); },
          [](const ChatAnswer& answer) {
            return ollama::write_answer(answer, ollama::Shape::kChat, {}, {});
          }};
}

bool says(const std::string& text, std::string_view word) {
  return text.find(word) != std::string::npos;
}

TEST(EditedAnswer, WholeIsSeenByEveryClientAndItsOldTextByNone) {
  const std::vector<ChatAnswer> answers{
      openai::parse_answer(std::string(kOpenAiAnswer)).value(),
      anthropic::parse_answer(std::string(kAnthropicAnswer)).value()};
  for (ChatAnswer answer : answers) {
    answer.edit([](chat::AnswerParts& parts) { parts.text = "NEW-text"; });

    for (const Write& write : whole_writers()) {
      const std::string sent = write(answer);
      EXPECT_TRUE(says(sent, "NEW-text")) << sent;
      EXPECT_FALSE(says(sent, "OLD-text")) << sent;
    }
  }
}

TEST(EditedAnswer, UntouchedIsTheBackendsOwnBytesForItsOwnProtocol) {
  ChatAnswer openai_answer = openai::parse_answer(std::string(kOpenAiAnswer)).value();
  const ChatAnswer anthropic_answer =
      anthropic::parse_answer(std::string(kAnthropicAnswer)).value();

  openai_answer.set_usage({.prompt_tokens = 7});  // minimill's own count changes nothing it said

  EXPECT_EQ(openai::write_answer(openai_answer, "i", 1), kOpenAiAnswer);
  EXPECT_EQ(anthropic::write_answer(anthropic_answer, "i"), kAnthropicAnswer);
  EXPECT_TRUE(says(anthropic::write_answer(openai_answer, "i"), "OLD-text"));
}

/// A backend's stream of the app's own protocol: frames, each before what was read from it.
class FramedStream final : public chat::ChatStream {
 public:
  chat::asio::awaitable<Result<std::optional<ChatEvent>>> next() override {
    if (at_ == events_.size()) co_return std::optional<ChatEvent>{};
    std::optional<ChatEvent> event(events_[at_++]);
    co_return event;
  }
  const std::string& model() const override { return model_; }

 private:
  std::vector<ChatEvent> events_{
      chat::Frame{"data: OLD-te\n\n"},
      chat::TextDelta{"OLD-te"},
      chat::Frame{"data: xt\n\n"},
      chat::TextDelta{"xt"},
      chat::Frame{"data: end\n\n"},
      chat::UsageReport{{.prompt_tokens = 1}},
      chat::Finish{},
  };
  std::size_t at_ = 0;
  std::string model_ = "real";
};

/// Holds the words back until they are whole, as whoever puts redacted ones back has to.
chat::EditedStream::Change renewing() {
  return [held = std::string()](ChatEvent event, std::vector<ChatEvent>& out) mutable {
    if (const auto* text = std::get_if<chat::TextDelta>(&event)) {
      held += text->text;
      return;
    }
    if (std::holds_alternative<chat::Finish>(event)) {
      held.replace(held.find("OLD"), 3, "NEW");
      out.emplace_back(chat::TextDelta{held});
    }
    out.push_back(std::move(event));
  };
}

std::vector<ChatEvent> events_of(chat::ChatStream& stream) {
  test::EventLoop loop;
  std::vector<ChatEvent> events;
  while (true) {
    Result<std::optional<ChatEvent>> event = loop.run(stream.next());
    if (!event || !*event) return events;
    events.push_back(std::move(**event));
  }
}

using WriteStream = std::function<std::string(const std::vector<ChatEvent>&)>;

template <class Writer>
std::string stream_with(Writer writer, const std::vector<ChatEvent>& events) {
  std::string out;
  for (const ChatEvent& event : events) writer.write(event, out);
  writer.finish(out);
  return out;
}

std::vector<WriteStream> stream_writers() {
  using Events = const std::vector<ChatEvent>&;
  return {
      [](Events events) { return stream_with(openai::StreamWriter("i", "m", 1, true), events); },
      [](Events events) { return stream_with(anthropic::StreamWriter("i", "m"), events); },
      [](Events events) { return stream_with(responses::ResponseStreamWriter(head()), events); },
      [](Events events) {
        return stream_with(completions::StreamWriter("i", "m", 1, true), events);
      },
      [](Events events) {
        ollama::StreamWriter writer(ollama::Shape::kChat, "m");
        std::string out;
        for (const ChatEvent& event : events) writer.write(event, {}, out);
        writer.finish({}, {}, out);
        return out;
      }};
}

TEST(EditedAnswer, StreamedIsSeenByEveryClientAndNoFrameOfTheBackendsByAny) {
  chat::EditedStream stream(std::make_unique<FramedStream>(), renewing());
  const std::vector<ChatEvent> events = events_of(stream);

  for (const ChatEvent& event : events) {
    EXPECT_FALSE(std::holds_alternative<chat::Frame>(event));
  }
  ASSERT_TRUE(std::holds_alternative<chat::Finish>(events.back()));
  EXPECT_EQ(stream.model(), "real");
  for (const WriteStream& write : stream_writers()) {
    const std::string sent = write(events);
    EXPECT_TRUE(says(sent, "NEW-text")) << sent;
    EXPECT_FALSE(says(sent, "OLD")) << sent;
  }
}

}  // namespace
}  // namespace minimill::protocol
