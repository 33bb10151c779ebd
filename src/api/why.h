#pragma once

// "Why did this go there?": a decision with its reasons, its attempts and how it turned out, for
// people and as JSON.

#include <boost/json.hpp>
#include <string>
#include <vector>

#include "ledger/ledger.h"

namespace minimill::api {

struct Explained {
  ledger::RequestRecord record;
  std::vector<ledger::Outcome> outcomes;
};

boost::json::object to_json(const chat::Decision& decision);
boost::json::object to_json(const Explained& explained);

}  // namespace minimill::api
