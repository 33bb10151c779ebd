#include "api/access.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <utility>

#include "http/origin.h"
#include "serve/model_selector.h"

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

/// What a program calls itself: it goes into the ledger, into lists and logs as it is.
std::string name_in(std::string_view user_agent) {
  std::string name(user_agent.substr(0, Access::kMaxNameBytes));
  std::ranges::replace_if(name, [](char c) { return c < ' ' || c > '~'; }, '?');
  return name;
}

bool is_ours(const http::Peer& peer) {
  return peer.uid && (*peer.uid == ::geteuid() || *peer.uid == 0);
}

}  // namespace

Result<> Access::identify(http::Request& request) {
  (void)admission_.refresh();
  request.is_owner = false;
  const std::string_view key = key_of(request.headers);
  if (apps_.has_keys()) {
    if (const policy::App* app = key.empty() ? nullptr : apps_.find(key)) {
      request.principal = app->name;
      return {};
    }
  }
  if (is_ours(request.peer)) {
    request.principal = program_of(request.peer.pid);
    request.is_owner = true;
    return {};
  }
  if (sessions_.knows(request)) {
    request.principal = kPage;
    request.is_owner = true;
    return {};
  }
  if (!apps_.has_keys() && !always_keyed_) {
    const bool our_page = request.headers.has("sec-fetch-site") && http::is_same_origin(request);
    request.principal = our_page ? std::string(kPage) : name_in(request.headers.get("user-agent"));
    request.is_owner = true;
    return {};
  }
  return fail(ErrorCode::kUnauthorized,
              key.empty() ? "this minimill asks for a key" : "this key is not known here",
              "make one with: minimill key add APP; send it as 'Authorization: Bearer mm-…'");
}

Result<> Access::may_use(http::Request& request, Who who) {
  if (who == Who::kAnyone) return {};
  if (Result<> known = identify(request); !known) return known;
  if (who == Who::kOwn || request.is_owner) return {};
  return fail(
      ErrorCode::kForbidden,
      fmt::format("this is for the owner of this machine, not for the app '{}'", request.principal),
      "use minimill's own commands on the machine itself");
}

Result<> Access::admit(const http::Request& request, tasks::TaskSpec& task) {
  if (!task.privacy) task.privacy = admission_.privacy_of(request.principal);
  if (Result<> notify = tasks::check_notify(task); !notify) return notify;
  chat::RequestParts parts;
  parts.model = serve::kAuto;
  policy::Wishes wishes;
  wishes.privacy = task.privacy;
  Result<policy::Request> admitted =
      admission_.admit(request.principal, chat::ChatRequest(std::move(parts)), std::move(wishes));
  if (!admitted) return std::unexpected(std::move(admitted.error()));
  return {};
}

}  // namespace minimill::api
