#include "route/learnt.h"

#include <utility>

#include "base/sha256.h"
#include "route/state_bytes.h"

namespace minimill::route {
namespace {

constexpr std::string_view kMagic = "minimill-router 3\n";
constexpr std::string_view kAnyMagic = "minimill-router ";
constexpr std::size_t kDigestBytes = 64;

std::unexpected<Error> damaged(std::string_view what) {
  return fail(ErrorCode::kCorrupt, std::string(what) + " is damaged");
}

}  // namespace

std::string Learnt::encode() const {
  std::string state(kMagic);
  append_text(state, confidence.to_text());
  terms.append_state(state);
  skills.append_state(state);
  operations.append_state(state);
  local_readable.append_state(state);
  local_text.append_state(state);
  any_local.append_state(state);
  cloud_readable.append_state(state);
  cloud_text.append_state(state);
  cloud.append_state(state);
  nearest.append_state(state);
  reliability.append_state(state);
  trust.append_state(state);
  append_number(state, static_cast<std::uint32_t>(models.size()));
  for (const auto& [name, model] : models) {
    append_text(state, name);
    append_number(state, model.outcomes);
    model.text.append_state(state);
    model.combiner.append_state(state);
  }
  append_number(state, static_cast<std::uint32_t>(audits.size()));
  for (const auto& [scope, control] : audits) {
    append_text(state, scope);
    control.append_state(state);
  }
  return sha256_hex(state) + state;
}

Result<Learnt> Learnt::decode(std::string_view bytes) {
  if (bytes.size() < kDigestBytes + kMagic.size()) {
    return fail(ErrorCode::kCorrupt, "the router's state is cut off");
  }
  std::string_view state = bytes.substr(kDigestBytes);
  if (sha256_hex(state) != bytes.substr(0, kDigestBytes)) {
    return fail(ErrorCode::kCorrupt, "the router's state is damaged: its checksum is wrong");
  }
  if (!state.starts_with(kMagic)) {
    return fail(ErrorCode::kCorrupt, state.starts_with(kAnyMagic)
                                         ? "the router's state is of another version"
                                         : "this is no router's state");
  }
  state.remove_prefix(kMagic.size());

  Learnt learnt;
  std::string text;
  if (!take_text(state, text)) return damaged("what was learnt of token probabilities");
  Result<Confidence> confidence = Confidence::parse(text);
  if (!confidence) return std::unexpected(std::move(confidence.error()));
  learnt.confidence = *confidence;
  const auto take = [&state](auto&... parts) {
    Result<> taken;
    (void)((taken = parts.take_state(state)).has_value() && ...);
    return taken;
  };
  Result<> taken =
      take(learnt.terms, learnt.skills, learnt.operations, learnt.local_readable, learnt.local_text,
           learnt.any_local, learnt.cloud_readable, learnt.cloud_text, learnt.cloud, learnt.nearest,
           learnt.reliability, learnt.trust);
  if (!taken) return std::unexpected(std::move(taken.error()));
  if (learnt.skills.size() > learnt.operations.all().size()) {
    return damaged("what was learnt of operations");
  }

  std::uint32_t count = 0;
  if (!take_number(state, count) || count > kMaxModels) return damaged("the list of local models");
  for (std::uint32_t i = 0; i < count; ++i) {
    std::string name;
    LocalModel model{.text = {}, .combiner = learnt.any_local, .outcomes = 0};
    if (!take_text(state, name) || !take_number(state, model.outcomes)) {
      return damaged("the list of local models");
    }
    if (Result<> part = take(model.text, model.combiner); !part) {
      return std::unexpected(std::move(part.error()));
    }
    learnt.models.emplace(std::move(name), std::move(model));
  }
  if (!take_number(state, count) || count > kMaxBounds) return damaged("the list of audits");
  for (std::uint32_t i = 0; i < count; ++i) {
    std::string scope;
    RiskControl control;
    if (!take_text(state, scope)) return damaged("the list of audits");
    if (Result<> part = take(control); !part) return std::unexpected(std::move(part.error()));
    learnt.audits.emplace(std::move(scope), std::move(control));
  }
  if (!state.empty()) return damaged("the end of the router's state");
  return learnt;
}

}  // namespace minimill::route
