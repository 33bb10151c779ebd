#pragma once

// Who asks: apps by their keys. What they may ask for is Admission's matter.
//
// Without any key, this machine's apps are let in and called what their User-Agent says. Once there
// is a key, every app needs one; but for programs of the user's own on the Unix socket, whose names
// the kernel tells, and the pages of the owner's browsers (Sessions). Event-loop thread only.

#include "api/routes.h"
#include "api/sessions.h"
#include "http/server.h"
#include "policy/admission.h"
#include "policy/app_store.h"
#include "tasks/task.h"

namespace minimill::api {

class Access {
 public:
  /// `always_keyed`: others than this machine can reach us, so that a key is needed even where
  /// there is none any more.
  Access(policy::Admission& admission, bool always_keyed, const policy::AppStore& apps,
         const Sessions& sessions)
      : admission_(admission), always_keyed_(always_keyed), apps_(apps), sessions_(sessions) {}

  /// What requests of the owner's browsers are called.
  static constexpr std::string_view kPage = "page";

  static constexpr std::size_t kMaxNameBytes = 128;

  /// Sets request.principal and is_owner. kUnauthorized where a key is needed and there is none, or
  /// a wrong one.
  Result<> identify(http::Request& request);

  /// A task that comes from `request` is let in as one request for "auto"; its privacy is settled,
  /// from the app's default or else the configuration's.
  Result<> admit(const http::Request& request, tasks::TaskSpec& task);

  /// Lets in whoever may use a route that is for `who`: kUnauthorized, kForbidden. The only place
  /// that decides it.
  Result<> may_use(http::Request& request, Who who);

 private:
  policy::Admission& admission_;
  bool always_keyed_;
  const policy::AppStore& apps_;
  const Sessions& sessions_;
};

}  // namespace minimill::api
