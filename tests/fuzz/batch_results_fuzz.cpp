// Whatever a provider sends as a batch's results, in either protocol and however it is cut, there
// is exactly one result for each request that was sent, and none for others.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <set>
#include <string>
#include <string_view>

#include "base/json.h"
#include "protocol/anthropic_batch.h"
#include "protocol/openai.h"
#include "protocol/openai_batch.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace minimill;
  if (size < 2) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data + 2), size - 2);
  const std::size_t cut = std::min<std::size_t>(data[1], bytes.size());
  const std::set<std::string> wanted{"a", "b"};
  protocol::BatchResultsReader reader(wanted, (data[0] & 1U) != 0
                                                  ? protocol::openai::read_batch_result
                                                  : protocol::anthropic::read_batch_result);
  reader.feed(bytes.substr(0, cut));
  reader.feed(bytes.substr(cut));
  reader.end_of_file();
  const auto results = std::move(reader).results();
  if (results.size() != wanted.size()) std::abort();
  for (const auto& [id, answer] : results) {
    if (!wanted.contains(id)) std::abort();
    if (!answer && !parse_json(protocol::openai::write_error(answer.error()))) std::abort();
  }
  (void)protocol::openai::parse_batch(bytes);
  (void)protocol::openai::parse_batch_list(bytes);
  (void)protocol::anthropic::parse_batch(bytes);
  return 0;
}
