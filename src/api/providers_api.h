#pragma once

// What is known of the cloud providers: GET /minimill/v1/providers (all that are configured, with
// what was measured in the last hour, and the names of others that the catalogue knows),
// GET …/{name} (one, configured or not) and POST …/{name}/test (one short request to it, which
// costs next to nothing). Keys are never shown, only whether they are there.

#include <boost/json.hpp>

#include "api/access.h"
#include "api/routes.h"
#include "cloud/pool.h"
#include "config/config.h"
#include "serve/model_selector.h"

namespace minimill::api {

class ProvidersApi {
 public:
  ProvidersApi(const Clock& clock, const config::Config& config,
               const serve::ModelSelector& selector, const cloud::PriceTable& prices,
               cloud::Pool& pool)
      : clock_(clock), config_(config), selector_(selector), prices_(prices), pool_(pool) {}

  void add_to(Routes& routes);

 private:
  asio::awaitable<void> list(http::Responder& out) const;
  asio::awaitable<void> show(const std::string& name, http::Responder& out) const;
  asio::awaitable<void> test(const std::string& name, http::Responder& out);
  cloud::Provider* find(std::string_view name) const;
  boost::json::object provider_json(const cloud::Provider& provider) const;
  boost::json::object model_json(const std::string& provider, const std::string& model) const;

  const Clock& clock_;
  const config::Config& config_;
  const serve::ModelSelector& selector_;
  const cloud::PriceTable& prices_;
  cloud::Pool& pool_;
};

}  // namespace minimill::api
