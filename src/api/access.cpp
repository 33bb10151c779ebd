#include "api/access.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>

#include "base/log.h"

namespace minimill::api {
namespace {

/// The key a request brings, in whichever header its protocol has for it.
std::string_view key_of(const http::Headers& headers) {
  constexpr std::string_view kBearer = "bearer ";
  const std::string_view authorization = headers.get("authorization");
  if (authorization.size() > kBearer.size() &&
      http::iequals(authorization.substr(0, kBearer.size()), kBearer)) {
    return authorization.substr(kBearer.size());
  }
  return headers.get("x-api-key");
}

/// "unix:python3"; "unix" where the system does not tell.
std::string program_of(int pid) {
  std::string name;
  if (pid > 0) {
    std::ifstream file(fmt::format("/proc/{}/comm", pid));
    std::getline(file, name);
  }
  return name.empty() ? "unix" : "unix:" + name;
}

bool is_ours(const http::Peer& peer) {
  return peer.uid && (*peer.uid == ::geteuid() || *peer.uid == 0);
}

}  // namespace

Access::Access(const Clock& clock, const config::Config& config, bool always_keyed,
               policy::AppStore& apps)
    : clock_(clock), config_(config), always_keyed_(always_keyed), apps_(apps), limits_(clock) {}

void Access::look_again() {
  const SteadyTime now = clock_.steady();
  if (now < look_at_) return;
  look_at_ = now + kLookAgain;
  if (const Result<> read = apps_.refresh(); !read) {
    log::error("the apps' keys cannot be read again: {}", read.error().to_string());
  }
}

Result<> Access::identify(http::Request& request) {
  look_again();
  const std::string_view key = key_of(request.headers);
  if (apps_.has_keys()) {
    if (const policy::App* app = key.empty() ? nullptr : apps_.find(key)) {
      request.principal = app->name;
      return {};
    }
  }
  if (is_ours(request.peer)) {
    request.principal = program_of(request.peer.pid);
    return {};
  }
  if (!apps_.has_keys() && !always_keyed_) {
    request.principal = request.headers.get("user-agent");
    return {};
  }
  return fail(ErrorCode::kUnauthorized,
              key.empty() ? "this minimill asks for a key" : "this key is not known here",
              "make one with: minimill key add APP; send it as 'Authorization: Bearer mm-…'");
}

serve::Ask Access::new_ask(const http::Request& request) const {
  serve::Ask ask;
  ask.app = request.principal;
  ask.privacy = config_.privacy;
  ask.accepts_degraded = config_.lanes.accept_degraded;
  const policy::App* app = apps_.named(ask.app);
  if (app != nullptr && app->privacy) ask.privacy = *app->privacy;
  return ask;
}

Result<> Access::may_change_models(const http::Request& request) const {
  if (apps_.named(request.principal) == nullptr) return {};
  return fail(ErrorCode::kForbidden, "an app with a key may not get or delete models",
              "use minimill pull, or minimill models rm, on the machine itself");
}

Result<> Access::may_test_providers(const http::Request& request) const {
  if (apps_.named(request.principal) == nullptr) return {};
  return fail(ErrorCode::kForbidden, "an app with a key may not test providers",
              "use minimill providers test on the machine itself");
}

Result<> Access::may_teach(const http::Request& request) const {
  if (apps_.named(request.principal) == nullptr) return {};
  return fail(ErrorCode::kForbidden, "an app with a key may not read or change what is learnt",
              "use minimill router on the machine itself");
}

Result<> Access::admit(serve::Ask& ask) {
  const policy::App* app = apps_.named(ask.app);
  if (app == nullptr) return {};
  if (!policy::may_ask_for(*app, ask.request.model())) {
    return std::unexpected(
        fail(ErrorCode::kForbidden,
             fmt::format("the app '{}' may not ask for '{}'", app->name, ask.request.model()),
             "minimill key set says which models it may ask for")
            .error()
            .with_field("model"));
  }
  if (app->lane) {
    if (ask.choice.lane && *ask.choice.lane != *app->lane) {
      return std::unexpected(fail(ErrorCode::kForbidden,
                                  fmt::format("the app '{}' may use the {} lane only", app->name,
                                              chat::name(*app->lane)),
                                  "ask for 'auto'")
                                 .error()
                                 .with_field("model"));
    }
    ask.choice.lane = app->lane;
  }
  return limits_.take_request(*app);
}

}  // namespace minimill::api
