#include "config/data_folder.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <cstring>
#include <fstream>
#include <sstream>
#include <utility>

#include "base/json.h"
#include "base/sha256.h"

namespace minimill::config {
namespace {

constexpr std::size_t kMaxSocketDir = 70;  // sun_path is 104 bytes on macOS, 108 on Linux
constexpr int kOwnerOnly = 0600;

std::filesystem::path note_of(const std::filesystem::path& folder) {
  return folder / "daemon.json";
}

std::string read_file(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

Result<> make_private_folder(const std::filesystem::path& path) {
  std::error_code ec;
  const bool made = std::filesystem::create_directories(path, ec);
  if (made) std::filesystem::permissions(path, std::filesystem::perms::owner_all, ec);
  if (!ec && std::filesystem::is_directory(path, ec)) return {};
  return fail(ErrorCode::kIo,
              fmt::format("cannot use the folder {}: {}", path.string(), ec.message()),
              "set [data] dir in the configuration to a folder of yours");
}

/// Taken and given back: nobody else holds it.
bool is_free(const std::filesystem::path& lock_file) {
  const int lock = ::open(lock_file.c_str(), O_RDWR | O_CLOEXEC);
  if (lock < 0) return true;
  const bool free = ::flock(lock, LOCK_EX | LOCK_NB) == 0;
  ::close(lock);
  return free;
}

}  // namespace

Result<DataFolder> DataFolder::hold(const std::filesystem::path& path) {
  if (Result<> made = make_private_folder(path); !made) return std::unexpected(made.error());
  const std::filesystem::path lock_file = path / "lock";
  const int lock = ::open(lock_file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, kOwnerOnly);
  if (lock < 0) {
    return fail(ErrorCode::kIo,
                fmt::format("cannot open {}: {}", lock_file.string(), std::strerror(errno)),
                "set [data] dir in the configuration to a folder of yours");
  }
  if (::flock(lock, LOCK_EX | LOCK_NB) != 0) {
    ::close(lock);
    return fail(
        ErrorCode::kConflict,
        fmt::format("another minimill (process {}) uses {}", read_file(lock_file), path.string()),
        "stop it first, or set another [data] dir");
  }
  const std::string pid = std::to_string(::getpid());
  if (::ftruncate(lock, 0) != 0 || ::pwrite(lock, pid.data(), pid.size(), 0) < 0) {
    const Error error{
        .code = ErrorCode::kIo,
        .message = fmt::format("cannot write {}: {}", lock_file.string(), std::strerror(errno)),
        .hint = "is the disk full?",
        .field = {},
        .retry_after = {}};
    ::close(lock);
    return std::unexpected(error);
  }
  return DataFolder(path, lock);
}

DataFolder::DataFolder(DataFolder&& other) noexcept
    : path_(std::move(other.path_)), lock_(std::exchange(other.lock_, -1)) {}

DataFolder::~DataFolder() {
  if (lock_ < 0) return;
  std::error_code ignored;
  std::filesystem::remove(note_of(path_), ignored);
  ::close(lock_);
}

Result<> DataFolder::announce(const std::vector<std::string>& addresses) const {
  json::array listed(addresses.begin(), addresses.end());
  const json::object note{{"pid", ::getpid()}, {"listen", std::move(listed)}};
  const std::filesystem::path file = note_of(path_);
  const std::filesystem::path fresh = file.string() + ".new";
  std::ofstream out(fresh, std::ios::binary | std::ios::trunc);
  out << json::serialize(note) << '\n';
  out.close();
  std::error_code ec;
  if (out) std::filesystem::rename(fresh, file, ec);
  if (!out || ec) return fail(ErrorCode::kIo, fmt::format("cannot write {}", file.string()));
  return {};
}

Result<std::filesystem::path> DataFolder::socket_dir() const {
  std::filesystem::path folder = std::filesystem::absolute(path_) / "run";
  if (folder.string().size() > kMaxSocketDir) {
    constexpr std::size_t kDigits = 16;
    folder = std::filesystem::temp_directory_path() /
             ("minimill-" + sha256_hex(folder.string()).substr(0, kDigits));
  }
  if (Result<> made = make_private_folder(folder); !made) return std::unexpected(made.error());
  return folder;
}

std::filesystem::path apps_file(const std::filesystem::path& folder) { return folder / "apps.db"; }

std::optional<std::vector<std::string>> find_daemon(const std::filesystem::path& path) {
  if (is_free(path / "lock")) return std::nullopt;
  const Result<json::object> note = parse_json_object(read_file(note_of(path)));
  if (!note) return std::nullopt;
  Fields fields(*note);
  const json::array* listed = fields.optional_array("listen");
  if (listed == nullptr) return std::nullopt;
  std::vector<std::string> addresses;
  for (const json::value& address : *listed) {
    if (address.is_string()) addresses.emplace_back(address.get_string());
  }
  return addresses;
}

}  // namespace minimill::config
