#pragma once

// One member out of a ZIP archive (PKWARE APPNOTE 6.3.9) that streams by, without unpacking the
// rest.
//
//   ZipMember member("name.gguf", [&](std::string_view bytes) { … });
//   while (…) if (Result<> fed = member.feed(bytes); !fed) …
//   member.done()   // seen whole, its CRC-32 right
//
// Reads local headers in order; stored and deflated members. Sizes must stand in the local headers
// (kUnsupported otherwise): archives written to a pipe leave them out, package wheels do not.

#include <zlib.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/error.h"

namespace minimill::models {

class ZipMember {
 public:
  using Sink = std::function<Result<>(std::string_view)>;

  /// The first member called `file_name`, in whichever folder, is the wanted one.
  ZipMember(std::string file_name, Sink sink);
  ~ZipMember();
  ZipMember(const ZipMember&) = delete;
  ZipMember& operator=(const ZipMember&) = delete;

  /// kCorrupt for what is no such archive; the sink's errors are passed on.
  Result<> feed(std::string_view bytes);
  bool done() const { return state_ == State::kDone; }

 private:
  enum class State { kHeader, kNames, kSkip, kStored, kDeflated, kDone, kEnd };
  Result<> take_header();
  Result<> take_names();
  Result<> inflate(std::string_view bytes);
  Result<> deliver(std::string_view bytes);
  Result<> finish_member();

  std::string file_name_;
  Sink sink_;
  State state_ = State::kHeader;
  std::string pending_;  // of a header not yet whole
  std::size_t wanted_;   // bytes of `pending_` until it is
  std::uint16_t method_ = 0;
  std::uint32_t crc_expected_ = 0;
  std::uint32_t crc_ = 0;
  std::uint64_t compressed_left_ = 0;
  std::uint64_t size_ = 0;
  std::uint64_t delivered_ = 0;
  std::size_t name_bytes_ = 0;
  std::unique_ptr<z_stream> inflater_;
};

}  // namespace minimill::models
