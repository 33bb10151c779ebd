// Whatever an app sends to Ollama's endpoints, or to OpenAI's for embeddings and plain prompts, it
// is refused with an error that is valid JSON, or it is a request that a backend's protocol can
// write, and whose notes are fit for a header.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "protocol/anthropic.h"
#include "protocol/completions.h"
#include "protocol/embeddings.h"
#include "protocol/ollama.h"
#include "protocol/ollama_embed.h"
#include "protocol/ollama_models.h"
#include "protocol/openai.h"

namespace {

using namespace minimill;

void check(bool holds) {
  if (!holds) std::abort();
}

void check_error(const Error& error) {
  check(parse_json_object(protocol::ollama::write_error(error)).has_value());
}

void check_notes(const std::vector<std::string>& notes) {
  for (const std::string& note : notes) {
    check(note.size() < 100);
    check(std::ranges::all_of(note, [](char c) { return c >= ' ' && c <= '~'; }));
  }
}

void check_chat(const chat::ChatRequest& request) {
  check_notes(request.emulated);
  // From its parts it may be deeper than a reader goes, by what the other protocol wraps around.
  (void)protocol::openai::write_chat_request(request, "m", true);
  (void)protocol::anthropic::write_messages_request(request, "m", true);
}

void check_ollama(const Result<protocol::ollama::Request>& request) {
  if (!request) return check_error(request.error());
  check(request->load_only == request->chat.messages().empty());
  check_chat(request->chat);
}

void check_embed(const Result<protocol::ollama::EmbedRequest>& request) {
  if (!request) return check_error(request.error());
  check(request->load_only == (request->embedding.inputs() == 0));
  check_notes(request->emulated);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view body(reinterpret_cast<const char*>(data), size);
  check_ollama(protocol::ollama::parse_chat_request(body));
  check_ollama(protocol::ollama::parse_generate_request(body));
  check_embed(protocol::ollama::parse_embed_request(body));
  check_embed(protocol::ollama::parse_embeddings_request(body));
  if (const auto model = protocol::ollama::parse_model_request(body); !model) {
    check_error(model.error());
  }
  const auto completion = protocol::completions::parse_completion_request(body);
  completion ? check_chat(*completion) : check_error(completion.error());
  const auto embedding = protocol::parse_embedding_request(body);
  if (!embedding) {
    check_error(embedding.error());
  } else {
    const std::string sent = protocol::write_embedding_request(*embedding, "m");
    check(protocol::parse_embedding_request(sent)->inputs() == embedding->inputs());
  }
  if (const auto answer = protocol::parse_embedding_answer(body, 1)) {
    const std::string written = protocol::write_embedding_answer(*answer, false);
    check(protocol::parse_embedding_answer(written, 1) == answer);
    check(protocol::shorten(*answer, 1).has_value());
  }
  return 0;
}
