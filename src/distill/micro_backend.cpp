#include "distill/micro_backend.h"

#include <utility>

#include "chat/answer_stream.h"
#include "chat/token_estimate.h"
#include "route/route_input.h"

namespace minimill::distill {
std::optional<chat::AnswerParts> MicroBackend::answer(const policy::Request& request,
                                                      serve::Call& call) const {
  if (!rung_.knows_any()) return std::nullopt;
  const SteadyTime began = clock_.steady();
  const route::RouteInput input = route::route_input(request.chat);
  serve::Offer offer = rung_.offer(request, input, call.operation);
  if (!offer.answer) {
    if (call.model == serve::kMicroModel) {  // it knew an answer when the request was decided
      call.model = next_.default_model();
      call.done.provider = next_.name_of(call.model);
      call.done.model = call.model;
      call.done.began = clock_.steady();
    }
    return std::nullopt;
  }
  call.done.provider = serve::kMicroModel;
  call.done.model = serve::kMicroModel;
  call.done.began = began;
  chat::AnswerParts parts;
  parts.model = serve::kMicroModel;
  parts.text = std::move(*offer.answer);
  parts.usage = {.prompt_tokens = chat::estimated_tokens(input.text.size()),
                 .completion_tokens = chat::estimated_tokens(parts.text.size()),
                 .estimated = true};
  return parts;
}

asio::awaitable<Result<chat::ChatAnswer>> MicroBackend::complete(const policy::Request& request,
                                                                 serve::Call& call) {
  if (std::optional<chat::AnswerParts> parts = answer(request, call)) {
    co_return chat::ChatAnswer(std::move(*parts));
  }
  co_return co_await next_.complete(request, call);
}

asio::awaitable<Result<std::unique_ptr<chat::ChatStream>>> MicroBackend::stream(
    const policy::Request& request, serve::Call& call) {
  if (std::optional<chat::AnswerParts> parts = answer(request, call)) {
    std::unique_ptr<chat::ChatStream> stream =
        std::make_unique<chat::AnswerStream>(std::move(*parts));
    co_return stream;
  }
  co_return co_await next_.stream(request, call);
}

}  // namespace minimill::distill
