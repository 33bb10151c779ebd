#include "route/lane_rules.h"

#include <fmt/format.h>

#include <utility>

#include "chat/token_estimate.h"
#include "route/features.h"

namespace minimill::route {
namespace {

constexpr std::int64_t kAnswerTokens = 512;  // room an answer needs

std::unexpected<Error> nothing_can(const RouteInput& input) {
  if (input.privacy == policy::Privacy::kLocalOnly) {
    return fail(ErrorCode::kUnavailable, "the request is local-only and there is no local model",
                "get one: minimill pull smollm2:135m");
  }
  return fail(
      ErrorCode::kUnavailable, "there is neither a local model nor a cloud provider",
      "get a model (minimill pull smollm2:135m), or add a [[provider]] to the configuration");
}

}  // namespace

chat::Reason rule(std::string layer, std::string text) {
  return {.layer = std::move(layer), .text = std::move(text), .weight = 0};
}

namespace {

Result<std::optional<chat::Lane>> lane_with_money(const RouteInput& input,
                                                  std::vector<chat::Reason>& reasons) {
  const bool local_only = input.privacy == policy::Privacy::kLocalOnly;
  if (local_only && input.forced == chat::Lane::kCloud) {
    return fail(ErrorCode::kForbidden, "the request is local-only and asks for the cloud",
                "ask for 'local' or 'auto', or send it with privacy 'allow'");
  }
  if (local_only) {
    if (!input.local_available) return nothing_can(input);
    reasons.push_back(rule("policy", "it is local-only: it never leaves the device"));
    return chat::Lane::kLocal;
  }
  if (input.forced) {
    reasons.push_back(
        rule("policy", fmt::format("the app asked for the {} lane", name(*input.forced))));
    const bool there =
        *input.forced == chat::Lane::kLocal ? input.local_available : input.cloud_available;
    if (there) return *input.forced;
    return *input.forced == chat::Lane::kLocal
               ? fail(ErrorCode::kUnavailable, "there is no local model",
                      "get one: minimill pull smollm2:135m")
               : fail(ErrorCode::kUnavailable, "there is no cloud provider",
                      "add a [[provider]] to the configuration");
  }
  if (!input.local_available && !input.cloud_available) return nothing_can(input);
  if (!input.cloud_available) {
    reasons.push_back(rule("capacity", "there is no cloud provider"));
    return chat::Lane::kLocal;
  }
  if (!input.local_available) {
    reasons.push_back(rule("capacity", "there is no local model"));
    return chat::Lane::kCloud;
  }
  if (input.images > 0) {
    reasons.push_back(rule("capacity", "it brings images, and the local model reads text"));
    return chat::Lane::kCloud;
  }
  const std::int64_t needed = chat::estimated_tokens(input.text.size()) + kAnswerTokens;
  if (input.local_context_tokens > 0 && needed > input.local_context_tokens) {
    reasons.push_back(
        rule("capacity", fmt::format("it needs about {} tokens, the local model takes {}", needed,
                                     input.local_context_tokens)));
    return chat::Lane::kCloud;
  }
  return std::nullopt;
}

}  // namespace

Result<std::optional<chat::Lane>> lane_by_rule(const RouteInput& input,
                                               std::vector<chat::Reason>& reasons) {
  Result<std::optional<chat::Lane>> lane = lane_with_money(input, reasons);
  if (!lane || !input.cloud_closed || *lane == chat::Lane::kLocal) return lane;
  if (*lane == chat::Lane::kCloud) return std::unexpected(*input.cloud_closed);
  reasons.push_back(rule("budget", input.cloud_closed->message));
  return chat::Lane::kLocal;
}

}  // namespace minimill::route
