#include "serve/backend.h"

namespace minimill::serve {

asio::awaitable<Result<protocol::EmbeddingAnswer>> Backend::embed(
    const policy::Request& /*request*/, const protocol::EmbeddingRequest& /*texts*/,
    Call& /*call*/) {
  co_return fail(ErrorCode::kUnsupported, "no vectors of texts are made there");
}

asio::awaitable<Result<std::int64_t>> Backend::count_tokens(const policy::Request& /*request*/,
                                                            std::string_view /*model*/) {
  co_return fail(ErrorCode::kUnsupported, "tokens are not counted there");
}

}  // namespace minimill::serve
