#include <fmt/format.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "base/json.h"
#include "protocol/answer_fields.h"
#include "protocol/responses.h"

namespace minimill::protocol::responses {
namespace {

std::string_view id_of(const json::value* item) {
  const json::object* object = item->if_object();
  return object == nullptr ? std::string_view{} : text_in(*object, "id");
}

}  // namespace

Result<std::string> write_input_items(const json::array& items, const ItemPage& page) {
  if (page.limit < 1 || page.limit > ItemPage::kMaxItems) {
    return fail_field("limit", fmt::format("'limit' must be 1 to {}", ItemPage::kMaxItems));
  }
  std::vector<const json::value*> ordered;
  for (const json::value& item : items) ordered.push_back(&item);
  if (page.newest_first) std::ranges::reverse(ordered);

  auto first = ordered.begin();
  if (!page.after.empty()) {
    first = std::ranges::find(ordered, std::string_view(page.after), id_of);
    if (first == ordered.end()) return fail_field("after", "'after' is the id of no input item");
    ++first;
  }
  json::array data;
  for (; first != ordered.end() && data.size() < page.limit; ++first) data.push_back(**first);

  json::object list{{"object", "list"},
                    {"first_id", nullptr},
                    {"last_id", nullptr},
                    {"has_more", first != ordered.end()}};
  if (!data.empty()) {
    list["first_id"] = id_of(&data.front());
    list["last_id"] = id_of(&data.back());
  }
  list["data"] = std::move(data);
  return json::serialize(list);
}

std::string write_deleted(std::string_view id) {
  return json::serialize(json::object{{"id", id}, {"object", "response"}, {"deleted", true}});
}

}  // namespace minimill::protocol::responses
