#pragma once

// What was learnt from the cloud's answers, and the traces it was learnt from: the owner's to see,
// as they hold what every app asked.
//
//   GET  /minimill/v1/skills                     each operation's rung; what could have been learnt
//   GET  /minimill/v1/skills/{operation}         ?app=; with its templates and its log
//   POST /minimill/v1/skills/{operation}/pin     {"app", "to": "cloud" or "auto"}
//   GET  /minimill/v1/traces                     ?app=, ?operation=, ?limit=; newest first, and the
//                                                rules; &format=jsonl: whole, a line each
//   GET  /minimill/v1/traces/{id}                whole
//   POST /minimill/v1/traces/purge               {"id", "app", "operation", "older_s"}, or
//                                                {"all": true}; what was learnt from them goes too
//   POST /minimill/v1/traces/keep                {"app", "what": "all", "tasks" or "nothing",
//                                                "days", "local_only"}

#include <string>

#include "api/routes.h"
#include "base/clock.h"
#include "distill/ladder.h"

namespace minimill::daemon {

namespace asio = boost::asio;

class DistillApi {
 public:
  DistillApi(const Clock& clock, distill::Ladder& ladder) : clock_(clock), ladder_(ladder) {}

  void add_to(api::Routes& routes);

 private:
  asio::awaitable<void> list_skills(http::Responder& out);
  asio::awaitable<void> show_skill(http::Request& request, http::Responder& out,
                                   std::string operation);
  asio::awaitable<void> pin(http::Request& request, http::Responder& out, std::string operation);
  asio::awaitable<void> list_traces(http::Request& request, http::Responder& out);
  asio::awaitable<void> show_trace(http::Responder& out, std::string id);
  asio::awaitable<void> purge(http::Request& request, http::Responder& out);
  asio::awaitable<void> keep(http::Request& request, http::Responder& out);
  Result<distill::TraceFilter> filter_of(const std::string& body) const;

  const Clock& clock_;
  distill::Ladder& ladder_;
};

}  // namespace minimill::daemon
