// Must not compile: a route that does not say who may use it.
#include "api/routes.h"

void add(minimill::api::Routes& routes, minimill::api::RouteHandler handler) {
  routes.add("GET", "/secrets", {"Everybody's secrets"}, std::move(handler));
}
