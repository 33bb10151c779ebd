#include "serve/stage.h"

#include <ranges>
#include <utility>

#include "chat/edited_stream.h"

namespace minimill::serve {

asio::awaitable<Result<Staged>> apply_stages(std::span<Stage* const> stages,
                                             policy::Request& request,
                                             const chat::Decision& decision,
                                             chat::Destination destination) {
  Staged staged;
  for (Stage* stage : stages) {
    if (!stage->applies(request, decision, destination)) continue;
    Result<std::unique_ptr<Applied>> applied = co_await stage->apply(request.chat);
    if (!applied) co_return std::unexpected(std::move(applied.error()));
    staged.push_back(std::move(*applied));
  }
  co_return staged;
}

void undo(const Staged& staged, chat::ChatAnswer& answer) {
  for (const std::unique_ptr<Applied>& applied : std::views::reverse(staged)) applied->undo(answer);
}

std::unique_ptr<chat::ChatStream> undo(Staged staged, std::unique_ptr<chat::ChatStream> stream) {
  for (std::unique_ptr<Applied>& applied : std::views::reverse(staged)) {
    auto change = [applied = std::shared_ptr<Applied>(std::move(applied))](
                      chat::ChatEvent event, std::vector<chat::ChatEvent>& out) {
      applied->undo(std::move(event), out);
    };
    stream = std::make_unique<chat::EditedStream>(std::move(stream), std::move(change));
  }
  return stream;
}

}  // namespace minimill::serve
