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

Result<> Access::identify(http::Request& request) {
  (void)admission_.refresh();
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

}  // namespace minimill::api
