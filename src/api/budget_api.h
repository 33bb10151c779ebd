#pragma once

// GET /minimill/v1/budgets: the budgets there are, and what has been spent of each. They are set by
// `minimill budget` and `minimill key`, on the machine itself.

#include "api/access.h"
#include "api/routes.h"
#include "policy/app_store.h"
#include "serve/spending.h"

namespace minimill::api {

class BudgetApi {
 public:
  BudgetApi(policy::AppStore& store, const serve::Spending& spending)
      : store_(store), spending_(spending) {}

  void add_to(Routes& routes);

 private:
  asio::awaitable<void> list(http::Responder& out);

  policy::AppStore& store_;
  const serve::Spending& spending_;
};

}  // namespace minimill::api
