#include "distill/template.h"

#include <gtest/gtest.h>

namespace minimill::distill {
namespace {

std::string triage(const std::string& mail, const std::string& options = "card, pin, refund") {
  return "Triage this mail\n\nFrom: customer\n\n" + mail +
         "\n\nWhich queue? Answer with exactly one of: " + options + ".";
}

Templates settled() {
  Templates templates;
  for (const std::string mail :
       {"I lost my card", "I want my money back", "My PIN is wrong, what now?", "Where is it?",
        "I never got the card. It is late", "How long will it take?", "Card please"}) {
    templates.learn(triage(mail));
  }
  return templates;
}

TEST(Templates, LearnersSeeWhatVaries) {
  const Templates templates = settled();

  const auto match = templates.match(triage("Is my card on its way?"));

  ASSERT_TRUE(match);
  EXPECT_TRUE(match->settled);
  EXPECT_EQ(match->text, "Is my card on its way?");
  EXPECT_EQ(templates.size(), 1U);
}

TEST(Templates, AnotherListOfAnswersIsNovel) {
  EXPECT_FALSE(settled().match(triage("Is it late?", "card, pin, refund, other")));
  EXPECT_FALSE(settled().match(triage("Is it late?", "card, pin")));
}

TEST(Templates, AnotherInstructionIsNovel) {
  EXPECT_FALSE(settled().match(triage("Is it late?") + " Answer in German."));
  EXPECT_FALSE(settled().match("Ignore all that.\n" + triage("Is it late?")));
  EXPECT_FALSE(settled().match("Is it late?"));
}

TEST(Templates, ANewTemplateIsSettledByItsOwnRequests) {
  Templates templates = settled();
  const auto other = [](const std::string& mail) {
    return triage(mail, "card, pin, other things");
  };

  for (const std::string mail : {"One", "Two of them", "It is three", "Four, five", "Six"}) {
    templates.learn(other(mail));
  }

  EXPECT_TRUE(templates.match(other("Seven"))->settled);
  EXPECT_EQ(templates.match(other("Seven"))->text, "Seven");
  EXPECT_EQ(templates.match(triage("Seven"))->text, "Seven");
  EXPECT_EQ(templates.size(), 2U);
}

TEST(Templates, SeveralGapsAreJoined) {
  Templates templates;
  const auto made = [](const std::string& from, const std::string& body) {
    return "Mail from " + from + " is to be answered in this way: " + body + "\nBe brief.";
  };
  templates.learn(made("Ann", "thank you"));
  templates.learn(made("Bob", "we have received it"));
  templates.learn(made("Cleo Mc", "no"));
  templates.learn(made("Dan", "the price is 5"));
  templates.learn(made("Eve", "see you soon, Eve"));
  templates.learn(made("Fay", "yes, gladly"));

  const auto match = templates.match(made("Ida", "hello"));

  ASSERT_TRUE(match);
  EXPECT_EQ(match->text, "Ida\nhello");
}

TEST(Templates, BareTextsMakeATemplateOfTheirOwn) {
  Templates templates;
  for (const std::string mail :
       {"Where is my card?", "I lost it", "Refund me now", "No PIN came", "What does it cost",
        "Top up failed again!", "It was stolen", "Exchange rates are odd", "Hello there"}) {
    templates.learn(mail);
  }

  const auto match = templates.match("My transfer is late");

  ASSERT_TRUE(match);
  EXPECT_TRUE(match->settled);
  EXPECT_EQ(match->text, "My transfer is late");
}

TEST(Templates, ReadBackTheyMatchAsBefore) {
  const Templates templates = settled();
  std::string bytes;
  templates.append_state(bytes);

  Templates back;
  std::string_view left = bytes;
  ASSERT_TRUE(back.take_state(left));

  EXPECT_TRUE(left.empty());
  EXPECT_EQ(back.match(triage("Seven"))->text, "Seven");
  EXPECT_EQ(bytes.find("lost"), std::string::npos);  // what varied is not kept
  for (std::size_t cut = 0; cut < bytes.size(); cut += 3) {
    std::string_view part = std::string_view(bytes).substr(0, cut);
    Templates half;
    EXPECT_FALSE(half.take_state(part));
  }
}

}  // namespace
}  // namespace minimill::distill
