#pragma once

// GET /minimill/v1/budgets: the budgets there are, and what has been spent of each. They are set by
// `minimill budget` and `minimill key`, on the machine itself.

#include "apps/app_store.h"
#include "daemon/access.h"
#include "daemon/routes.h"
#include "daemon/spending.h"

namespace minimill::daemon {

class BudgetApi {
 public:
  BudgetApi(const Access& access, apps::AppStore& store, const Spending& spending);

  void add_to(Routes& routes);

 private:
  asio::awaitable<void> list(const http::Request& request, http::Responder& out);

  const Access& access_;
  apps::AppStore& store_;
  const Spending& spending_;
};

}  // namespace minimill::daemon
