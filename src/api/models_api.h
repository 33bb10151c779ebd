#pragma once

// GET /v1/models and /v1/models/{id}: everything an app may ask for by name, in OpenAI's shape, or
// in Anthropic's for clients that send its version header.

#include <string>
#include <vector>

#include "api/routes.h"
#include "serve/model_selector.h"

namespace minimill::api {

class ModelsApi {
 public:
  ModelsApi(const serve::Engines& engines, const serve::ModelSelector& selector)
      : engines_(engines), selector_(selector) {}

  void add_to(Routes& routes);

 private:
  struct Entry {
    std::string id;
    std::string owner;
  };
  std::vector<Entry> entries() const;
  asio::awaitable<void> list(const http::Request& request, http::Responder& out) const;
  asio::awaitable<void> show(const http::Request& request, const PathParts& parts,
                             http::Responder& out) const;

  const serve::Engines& engines_;
  const serve::ModelSelector& selector_;
};

}  // namespace minimill::api
