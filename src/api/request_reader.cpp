#include "api/request_reader.h"

#include <utility>

#include "api/serving_headers.h"

namespace minimill::api {

Result<policy::Request> RequestReader::admit(const http::Request& request, chat::ChatRequest chat,
                                             policy::Privacy of_history) const {
  policy::Wishes wishes;
  if (Result<> read = read_wishes(request.headers, wishes, chat.deadline); !read) {
    return std::unexpected(std::move(read.error()));
  }
  Result<policy::ModelChoice> choice = selector_.resolve(chat.model());
  if (!choice) return std::unexpected(std::move(choice.error()));
  wishes.choice = std::move(*choice);
  wishes.privacy = policy::stricter(
      wishes.privacy.value_or(admission_.privacy_of(request.principal)), of_history);
  return admission_.admit(request.principal, std::move(chat), std::move(wishes));
}

}  // namespace minimill::api
