#include "policy/notify_policy.h"

#include <gtest/gtest.h>

namespace minimill::policy {
namespace {

TEST(NotifyPolicy, NobodyMayBeNotifiedByDefault) {
  EXPECT_FALSE(NotifyPolicy({}).admit("http://127.0.0.1:9000/").has_value());
}

TEST(NotifyPolicy, OnlyWhatIsAllowedMayBeAndThePathIsNotRepeated) {
  const NotifyPolicy policy({"http://127.0.0.1:90", "https://hooks.example.com/minimill/"});

  EXPECT_TRUE(policy.admit("http://127.0.0.1:90/a").has_value());
  EXPECT_TRUE(policy.admit("https://hooks.example.com/minimill/a?b").has_value());
  const Result<> other = policy.admit("http://127.0.0.1:9000/secret");

  ASSERT_FALSE(other.has_value());
  EXPECT_EQ(other.error().code, ErrorCode::kForbidden);
  EXPECT_EQ(other.error().field, "notify");
  EXPECT_EQ(other.error().to_string().find("secret"), std::string::npos);
  EXPECT_FALSE(policy.admit("https://hooks.example.com/other").has_value());
  EXPECT_FALSE(policy.admit("nonsense").has_value());
}

TEST(NotifyPolicy, SlashesInDisguiseDoNotLeadOutOfWhatIsAllowed) {
  const NotifyPolicy policy({"http://127.0.0.1:90/hook"});

  for (const char* tail : {"/..%2fadmin", "/%2e%2e%2Fadmin", "/..;/admin", "/..%5cadmin"}) {
    EXPECT_FALSE(policy.admit(std::string("http://127.0.0.1:90/hook") + tail).has_value()) << tail;
  }
  EXPECT_TRUE(policy.admit("http://127.0.0.1:90/hook?next=%2fa").has_value());
}

}  // namespace
}  // namespace minimill::policy
