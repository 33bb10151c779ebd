#pragma once

// Who asks: apps by their keys. What they may ask for is Admission's matter.
//
// Without any key, this machine's apps are let in and called what their User-Agent says. Once there
// is a key, every app needs one; but for programs of the user's own on the Unix socket, whose names
// the kernel tells. Event-loop thread only.

#include "http/server.h"
#include "policy/admission.h"
#include "policy/app_store.h"

namespace minimill::api {

class Access {
 public:
  /// `always_keyed`: others than this machine can reach us, so that a key is needed even where
  /// there is none any more.
  Access(policy::Admission& admission, bool always_keyed, const policy::AppStore& apps)
      : admission_(admission), always_keyed_(always_keyed), apps_(apps) {}

  /// Sets request.principal. kUnauthorized where a key is needed and there is none, or a wrong one.
  Result<> identify(http::Request& request);

  /// kForbidden for apps with keys: which models this machine has is its owner's to say.
  Result<> may_change_models(const http::Request& request) const;
  /// kForbidden for apps with keys: a test is paid for by the machine's owner.
  Result<> may_test_providers(const http::Request& request) const;
  /// kForbidden for apps with keys: what is learnt of all apps is not one app's to read or change.
  Result<> may_teach(const http::Request& request) const;

 private:
  policy::Admission& admission_;
  bool always_keyed_;
  const policy::AppStore& apps_;
};

}  // namespace minimill::api
