#include "policy/privacy.h"

#include <gtest/gtest.h>

namespace minimill::policy {
namespace {

TEST(Privacy, LocalOnlyRequestIsNeverCleared) {
  const auto cleared = clear_for_cloud(chat::ChatRequest{}, Privacy::kLocalOnly);

  ASSERT_FALSE(cleared.has_value());
  EXPECT_EQ(cleared.error().code, ErrorCode::kForbidden);
}

TEST(Privacy, AllowedRequestIsClearedUnchanged) {
  chat::RequestParts parts;
  parts.model = "auto";
  parts.messages.push_back(chat::text_message(chat::Role::kUser, "hello"));
  const chat::ChatRequest request(std::move(parts));

  const auto cleared = clear_for_cloud(request, Privacy::kAllow);

  ASSERT_TRUE(cleared.has_value());
  EXPECT_EQ(**cleared, request);
}

TEST(Privacy, UnknownLevelIsRefusedNamingItsSource) {
  const auto level = parse_privacy("secret", "tasks[3].privacy");

  ASSERT_FALSE(level.has_value());
  EXPECT_EQ(level.error().field, "tasks[3].privacy");
}

}  // namespace
}  // namespace minimill::policy
