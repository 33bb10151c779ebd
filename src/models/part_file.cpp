#include "models/part_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <utility>
#include <vector>

namespace minimill::models {
namespace {

constexpr std::size_t kReadBytes = 256 << 10;
constexpr int kMode = 0644;

std::unexpected<Error> io_error(const std::filesystem::path& path, std::string_view what) {
  const bool full = errno == ENOSPC || errno == EDQUOT;
  return fail(ErrorCode::kIo,
              fmt::format("cannot {} {}: {}", what, path.string(), std::strerror(errno)),
              full ? "free some space and run it again: it goes on where it was" : "");
}

}  // namespace

PartFile::PartFile(std::filesystem::path path, int fd, Tap tap)
    : path_(std::move(path)), fd_(fd), tap_(std::move(tap)) {}

PartFile::PartFile(PartFile&& other) noexcept
    : path_(std::move(other.path_)),
      fd_(std::exchange(other.fd_, -1)),
      tap_(std::move(other.tap_)),
      size_(other.size_),
      hash_(std::move(other.hash_)) {}

PartFile::~PartFile() {
  if (fd_ >= 0) ::close(fd_);
}

Result<PartFile> PartFile::open(std::filesystem::path path, Tap tap) {
  std::error_code ec;
  std::filesystem::create_directories(path.parent_path(), ec);
  const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, kMode);
  if (fd < 0) return io_error(path, "open");
  PartFile part(std::move(path), fd, std::move(tap));
  if (::flock(fd, LOCK_EX | LOCK_NB) != 0) {
    return fail(ErrorCode::kUnavailable, "another process is getting it now",
                "wait for that one to end");
  }
  if (Result<> replayed = part.replay(); !replayed)
    return std::unexpected(std::move(replayed.error()));
  return part;
}

Result<> PartFile::replay() {
  std::vector<char> buffer(kReadBytes);
  while (true) {
    const ssize_t got = ::pread(fd_, buffer.data(), buffer.size(), static_cast<off_t>(size_));
    if (got < 0) return io_error(path_, "read");
    if (got == 0) return {};
    const std::string_view bytes(buffer.data(), static_cast<std::size_t>(got));
    size_ += bytes.size();
    hash_.update(bytes);
    if (Result<> seen = tap_ ? tap_(bytes) : Result<>{}; !seen) return seen;
  }
}

Result<> PartFile::append(std::string_view bytes) {
  std::string_view left = bytes;
  while (!left.empty()) {
    const ssize_t written = ::write(fd_, left.data(), left.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return io_error(path_, "write");
    left.remove_prefix(static_cast<std::size_t>(written));
  }
  size_ += bytes.size();
  hash_.update(bytes);
  return tap_ ? tap_(bytes) : Result<>{};
}

void PartFile::discard() {
  std::error_code ignored;
  std::filesystem::remove(path_, ignored);
}

Result<std::string> sha256_of_file(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::vector<char> buffer(kReadBytes);
  Sha256 hash;
  while (in.read(buffer.data(), static_cast<std::streamsize>(buffer.size())), in.gcount() > 0) {
    hash.update({buffer.data(), static_cast<std::size_t>(in.gcount())});
  }
  if (in.bad() || !in.eof()) return io_error(path, "read");
  return hash.hex();
}

}  // namespace minimill::models
