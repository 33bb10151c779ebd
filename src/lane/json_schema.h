#pragma once

// JSON Schema (draft 7), by valijson. Only here are valijson's headers and exceptions met.

#include <boost/json.hpp>
#include <memory>

#include "base/error.h"

namespace minimill::lane {

class JsonSchema {
 public:
  /// kInvalidArgument for what is no schema, and for one that refers outside itself: a schema from
  /// outside must not make us read files or the network.
  static Result<JsonSchema> parse(const boost::json::object& schema);

  /// The first violation, with its path.
  Result<> validate(const boost::json::value& value) const;

 private:
  struct Impl;
  explicit JsonSchema(std::shared_ptr<const Impl> impl) : impl_(std::move(impl)) {}
  std::shared_ptr<const Impl> impl_;
};

}  // namespace minimill::lane
