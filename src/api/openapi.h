#pragma once

// GET /openapi.json: what this daemon serves, in OpenAPI 3.1, made of the routes themselves and of
// the table of fields (protocol/translation.h), so that it cannot say anything else than they do.

#include <boost/json.hpp>

#include "api/routes.h"

namespace minimill::api {

boost::json::object openapi_document(const Routes& routes);

}  // namespace minimill::api
