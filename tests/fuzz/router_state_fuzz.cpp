// Any bytes with a right checksum are taken as a router's state, or refused: what is taken decides,
// learns and can be saved and read again.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "base/sha256.h"
#include "route/router.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace minimill;
  const std::string state(reinterpret_cast<const char*>(data), size);
  Result<route::Router> router = route::Router::load(sha256_hex(state) + state, {});
  if (!router) {
    if (router.error().message.empty()) std::abort();
    return 0;
  }
  route::RouteInput input;
  input.text = "Copy the number from this note: 17";
  input.model = "small";
  const Result<chat::Decision> decision = router->decide(input);
  if (!decision || !(decision->p_local_ok >= 0 && decision->p_local_ok <= 1)) std::abort();
  const std::string operation = router->recognise(input);
  router->learn(input, operation, false);
  router->learn_cloud(input, operation, true);
  router->audit(input, operation, true);
  if (!route::Router::load(router->save(), {})) std::abort();
  return 0;
}
