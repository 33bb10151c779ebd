#include "serve/record.h"

#include <utility>

namespace minimill::serve {

ledger::RequestRecord record_of(const policy::Request& request, RequestId id, WallTime at) {
  ledger::RequestRecord record;
  record.id = std::move(id);
  record.at = at;
  record.app = request.app;
  record.task = request.task;
  record.run = request.run;
  record.origin = request.origin;
  record.parent = request.parent;
  record.label = request.label;
  record.model_asked = request.chat.model();
  record.stream = request.chat.stream;
  record.privacy = policy::name(request.privacy);
  return record;
}

}  // namespace minimill::serve
