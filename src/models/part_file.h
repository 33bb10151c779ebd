#pragma once

// A download on its way: bytes are appended to NAME.part, hashed as they go; what an earlier
// attempt left is hashed again first and gone on from.

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/error.h"
#include "base/sha256.h"

namespace minimill::models {

class PartFile {
 public:
  using Tap = std::function<Result<>(std::string_view)>;

  /// Opens or goes on; `tap` sees every byte in order, those of earlier attempts too. kUnavailable
  /// while another process has it open.
  static Result<PartFile> open(std::filesystem::path path, Tap tap);
  PartFile(PartFile&& other) noexcept;
  PartFile& operator=(PartFile&&) = delete;
  ~PartFile();

  std::uint64_t size() const { return size_; }
  /// A full disk is kIo; what is there stays, to be gone on from.
  Result<> append(std::string_view bytes);
  /// Of everything; the file stays where it is. Call once, last.
  std::string sha256() { return hash_.hex(); }
  const std::filesystem::path& path() const { return path_; }
  void discard();

 private:
  PartFile(std::filesystem::path path, int fd, Tap tap);
  Result<> replay();

  std::filesystem::path path_;
  int fd_;
  Tap tap_;
  std::uint64_t size_ = 0;
  Sha256 hash_;
};

/// Of a file as it lies on the disk.
Result<std::string> sha256_of_file(const std::filesystem::path& path);

}  // namespace minimill::models
