#pragma once

// One line of what `minimill router train` and `eval` read:
//   {"prompt": "…", "operation": "triage-mail", "local_ok": true, "cloud_ok": true, "model": "…"}
// All but the prompt may be left out.

#include <boost/json.hpp>
#include <optional>
#include <string>

#include "base/error.h"
#include "route/router.h"

namespace minimill::api {

struct RouterExample {
  route::RouteInput input;
  std::string operation;
  std::optional<bool> local_ok;
  std::optional<bool> cloud_ok;
};

Result<RouterExample> read_router_example(const boost::json::object& object);

/// Has the router learn from it: the operation, and each outcome that is known.
void teach(route::Router& router, const RouterExample& example);

}  // namespace minimill::api
