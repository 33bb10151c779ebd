#include "distill/micro_model.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "base/sha256.h"
#include "distill/shuffler.h"
#include "distill/test_data.h"

namespace minimill::distill {
namespace {

std::vector<Example> mails() {
  std::vector<Example> all;
  const std::vector<std::string> who{"my", "our", "the", "a", "that", "his", "her", "your"};
  for (const std::string& each : who) {
    all.push_back({.text = "When will " + each + " new card arrive by post?", .answer = "arrival"});
    all.push_back({.text = "I have lost " + each + " card, block it", .answer = "lost"});
    all.push_back({.text = "How do I change the PIN of " + each + " card", .answer = "pin"});
  }
  return all;
}

Form form_of(const std::vector<Example>& examples) {
  std::vector<Form::Seen> seen;
  for (const Example& each : examples) seen.push_back({.text = each.text, .answer = each.answer});
  return Form::fit(seen, {}).value();
}

/// Wraps the bytes as a file with a right checksum, as a hostile one would have.
std::string signed_bytes(const std::string& bytes) { return sha256_hex(bytes) + bytes; }

TEST(MicroModel, LearnsAClosedSetFromADozenExamples) {
  const std::vector<Example> examples = mails();

  const Result<MicroModel> model = MicroModel::train(examples, form_of(examples));

  ASSERT_TRUE(model) << model.error().to_string();
  EXPECT_EQ(model->predict("my friend has lost his card").answer, "lost");
  EXPECT_EQ(model->predict("please change my PIN").answer, "pin");
}

TEST(MicroModel, TheSameExamplesMakeTheSameBytes) {
  const std::vector<Example> examples = mails();

  const std::string first = MicroModel::train(examples, form_of(examples))->encode();

  EXPECT_EQ(first, MicroModel::train(examples, form_of(examples))->encode());
}

TEST(MicroModel, ReadBackItAnswersAsBefore) {
  const std::vector<Example> examples = mails();
  const MicroModel model = MicroModel::train(examples, form_of(examples)).value();

  const Result<MicroModel> back = MicroModel::decode(model.encode());

  ASSERT_TRUE(back) << back.error().to_string();
  for (const Example& each : examples) {
    EXPECT_EQ(back->predict(each.text).answer, model.predict(each.text).answer);
    EXPECT_EQ(back->predict(each.text).p_right, model.predict(each.text).p_right);
  }
  EXPECT_EQ(back->encode(), model.encode());
}

TEST(MicroModel, WhatIsFamiliarInNothingIsNovel) {
  const std::vector<Example> examples = mails();
  const MicroModel model = MicroModel::train(examples, form_of(examples)).value();

  EXPECT_TRUE(model.predict("zwölf Boxkämpfer jagen Viktor quer über den Sylter Deich").novel);
  EXPECT_EQ(model.predict("zwölf Boxkämpfer jagen Viktor").p_right, 0);
}

TEST(MicroModel, DamagedFilesAreRefusedAndNeverRead) {
  const std::vector<Example> examples = mails();
  const std::string good = MicroModel::train(examples, form_of(examples))->encode();
  std::string bytes = good.substr(64);

  // A byte changed, with a checksum to match, or the end cut off: read or refused, never a crash.
  for (std::size_t at = 0; at < bytes.size(); at += 1 + (bytes.size() / 400)) {
    std::string changed = bytes;
    changed[at] = static_cast<char>(changed[at] ^ 0xff);
    const Result<MicroModel> model = MicroModel::decode(signed_bytes(changed));
    if (model) (void)model->predict("When will my card arrive?");
    EXPECT_FALSE(MicroModel::decode(good.substr(0, 64) + changed));
    EXPECT_FALSE(MicroModel::decode(signed_bytes(bytes.substr(0, at))));
  }
  EXPECT_FALSE(MicroModel::decode(signed_bytes(bytes + "x")));
  EXPECT_EQ(MicroModel::decode("").error().code, ErrorCode::kCorrupt);
}

TEST(MicroModel, FieldsOfEveryKindMakeOneAnswer) {
  std::vector<Example> examples;
  const std::vector<std::string> names{"Ann", "Bob", "Cleo", "Dan", "Eve", "Fay", "Gus", "Hal"};
  for (std::size_t i = 0; i < names.size(); ++i) {
    const std::string count = std::to_string(i + 2);
    examples.push_back(
        {.text = names[i] + " wants a table for " + count + " now, hurry",
         .answer = R"({"name":")" + names[i] + R"(","people":)" + count + R"(,"urgent":true})"});
    examples.push_back(
        {.text = names[i] + " wants a table for " + count + " some day",
         .answer = R"({"name":")" + names[i] + R"(","people":)" + count + R"(,"urgent":false})"});
  }
  const Form form = form_of(examples);
  ASSERT_TRUE(form.json);

  const MicroModel model = MicroModel::train(examples, form).value();

  EXPECT_EQ(model.predict("Ida wants a table for 12 now, hurry").answer,
            R"({"name":"Ida","people":12,"urgent":true})");
}

TEST(MicroModel, IsHonestAboutHowSureItIs) {
  const auto rows = shared_rows("distill/restaurant8k-train.jsonl");
  MINIMILL_SKIP_WITHOUT(rows, "restaurant8k-train.jsonl");
  std::vector<Example> all;
  for (const auto& row : rows) {
    all.push_back({.text = text_of(row.at("text")), .answer = text_of(row.at("slots"))});
  }
  Shuffler(3).shuffle(all);
  const std::vector<Example> learnt(all.begin(), all.begin() + 200);

  const MicroModel model = MicroModel::train(learnt, form_of(learnt)).value();

  double right = 0;
  double sure = 0;
  double sure_right = 0;
  for (std::size_t i = 1000; i < 3000; ++i) {
    const MicroModel::Prediction prediction = model.predict(all[i].text);
    const bool ok = !prediction.answer.empty() &&
                    boost::json::parse(prediction.answer) == boost::json::parse(all[i].answer);
    right += ok ? 1 : 0;
    if (prediction.p_right < 0.9) continue;
    sure += 1;
    sure_right += ok ? 1 : 0;
  }
  EXPECT_GE(right / 2000, 0.68);
  EXPECT_GE(sure, 200);
  EXPECT_GE(sure_right / sure, 0.9);
}

TEST(MicroModel, LearnsBanking77InSeconds) {
  const auto rows = shared_rows("distill/banking77-train.jsonl");
  MINIMILL_SKIP_WITHOUT(rows, "banking77-train.jsonl");
  std::vector<Example> all;
  for (const auto& row : rows) {
    all.push_back({.text = text_of(row.at("text")), .answer = text_of(row.at("label"))});
  }
  Shuffler(3).shuffle(all);
  const std::vector<Example> learnt(all.begin(), all.begin() + 2400);

  const MicroModel model = MicroModel::train(learnt, form_of(learnt)).value();

  int right = 0;
  for (std::size_t i = 9000; i < 10000; ++i) {
    right += model.predict(all[i].text).answer == all[i].answer ? 1 : 0;
  }
  EXPECT_GE(right, 780);
}

TEST(SpanTagger, KeepsExactlyTheWordsThatWereCopied) {
  const std::string text = "Let's say 7:15, or so";
  const std::vector<Word> words = words_of(text);

  const auto found = find_value(text, words, "7:15");

  ASSERT_TRUE(found);
  EXPECT_EQ(text.substr(words[found->first].begin,
                        words[found->last - 1].end - words[found->first].begin),
            "7:15");
  EXPECT_FALSE(find_value(text, words, "7:1"));
}

TEST(SpanTagger, ProbabilitiesAreOfAllTaggings) {
  std::vector<SpanTagger::Example> examples;
  const std::vector<std::string> texts{"at 5", "at 7", "at 9", "for 5", "for 7", "for 9"};
  for (const std::string& text : texts) {
    SpanTagger::Spans spans(2);
    spans[text.starts_with("at") ? 0 : 1] = WordRange{.first = 1, .last = 2};
    examples.push_back({.text = text, .spans = spans});
  }

  const SpanTagger tagger = SpanTagger::train(examples, 2);

  const auto answer = tagger.predict("at 8");
  ASSERT_TRUE(answer);
  EXPECT_TRUE(answer->spans[0]);
  EXPECT_FALSE(answer->spans[1]);
  EXPECT_GT(answer->probability, 0.5);
  EXPECT_LE(answer->probability + answer->runner_up, 1.0001);
}

}  // namespace
}  // namespace minimill::distill
