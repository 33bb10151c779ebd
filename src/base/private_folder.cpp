#include "base/private_folder.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace minimill {
namespace {

constexpr mode_t kOwnerAll = 0700;
constexpr mode_t kOthers = 0077;

std::unexpected<Error> cannot_use(const std::filesystem::path& path, std::string_view why) {
  return fail(ErrorCode::kIo, fmt::format("cannot use the folder {}: {}", path.string(), why),
              "set [data] dir in the configuration to a folder of yours");
}

std::unexpected<Error> not_ours(const std::filesystem::path& path, uid_t owner) {
  return fail(ErrorCode::kForbidden,
              fmt::format("{} belongs to the user {}, not to this one ({})", path.string(), owner,
                          ::geteuid()),
              "what is kept there would be theirs to read; set [data] dir to a folder of yours");
}

}  // namespace

Result<> make_private_folder(const std::filesystem::path& path) {
  if (path.has_parent_path() && path.parent_path() != path) {
    std::error_code ec;  // mkdir says it better
    std::filesystem::create_directories(path.parent_path(), ec);
  }
  // In this order: whoever is there before us is seen by what follows.
  if (::mkdir(path.c_str(), kOwnerAll) != 0 && errno != EEXIST) {
    return cannot_use(path, std::strerror(errno));
  }
  struct stat found{};
  if (::lstat(path.c_str(), &found) != 0) return cannot_use(path, std::strerror(errno));
  if (found.st_uid != ::geteuid()) return not_ours(path, found.st_uid);
  if (S_ISLNK(found.st_mode)) {
    if (::stat(path.c_str(), &found) != 0) return cannot_use(path, std::strerror(errno));
    if (found.st_uid != ::geteuid()) return not_ours(path, found.st_uid);
  }
  if (!S_ISDIR(found.st_mode)) return cannot_use(path, "it is no folder");
  if ((found.st_mode & kOthers) != 0 && ::chmod(path.c_str(), kOwnerAll) != 0) {
    return cannot_use(path, std::strerror(errno));
  }
  return {};
}

Result<> make_files_private(const std::filesystem::path& folder) {
  using std::filesystem::perms;
  std::error_code ec;
  for (const auto& entry : std::filesystem::directory_iterator(folder, ec)) {
    const auto status = entry.symlink_status(ec);
    if (ec || !std::filesystem::is_regular_file(status)) continue;
    if ((status.permissions() & (perms::group_all | perms::others_all)) == perms::none) continue;
    std::filesystem::permissions(entry.path(), status.permissions() & perms::owner_all, ec);
    if (ec) {
      return fail(ErrorCode::kIo, fmt::format("cannot keep {} to its owner: {}",
                                              entry.path().string(), ec.message()));
    }
  }
  return {};
}

}  // namespace minimill
