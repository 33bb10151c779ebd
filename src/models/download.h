#pragma once

// One file over HTTP into a PartFile: what is there already is gone on from where that is safe, and
// begun anew where it is not.

#include <boost/asio/awaitable.hpp>
#include <functional>
#include <string>
#include <string_view>

#include "base/error.h"
#include "http/client.h"
#include "models/part_file.h"

namespace minimill::models {

namespace asio = boost::asio;

/// What a server says of a file before it is fetched.
struct RemoteFile {
  std::string sha256;  // Hugging Face states it (x-linked-etag, on its redirect); else ""
  std::string etag;    // a strong one; else ""
};

/// A GET of `url` with our time-outs.
http::ClientRequest get_request(std::string url);

/// Asks with HEAD. A server that does not like to be asked is no error; one out of reach is.
asio::awaitable<Result<RemoteFile>> look_up(http::Client& client, std::string url);

/// Called with bytes here, bytes in all (0: unknown), and a note for people ("" mostly).
using OnBytes = std::function<void(std::uint64_t done, std::uint64_t total, std::string note)>;

/// Appends the bytes of `request` that `part` lacks. kConflict: the server does not go on from
/// there; `part` is discarded, open it anew and call again.
asio::awaitable<Result<>> download(http::Client& client, http::ClientRequest request,
                                   PartFile& part, OnBytes on_bytes);

/// The 64 lower-case hexadecimal digits in `text`, quotes aside; "" for anything else.
std::string sha256_text(std::string_view text);

}  // namespace minimill::models
