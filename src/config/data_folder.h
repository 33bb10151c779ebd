#pragma once

// The daemon's folder on disk, held by one daemon at a time: a lock that the operating system frees
// when its owner dies, and a note of where the owner listens, so that the command line finds it.

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"

namespace minimill::config {

class DataFolder {
 public:
  /// Makes the folder (0700) where it is missing. kConflict, naming the process, where another
  /// daemon holds it.
  static Result<DataFolder> hold(const std::filesystem::path& path);
  DataFolder(DataFolder&& other) noexcept;
  DataFolder& operator=(DataFolder&&) = delete;
  ~DataFolder();

  /// Notes where this daemon answers, for find_daemon().
  Result<> announce(const std::vector<std::string>& addresses) const;

  const std::filesystem::path& path() const { return path_; }
  std::filesystem::path database() const { return path_ / "minimill.db"; }
  /// For Unix sockets of engines: short enough for sun_path, readable by this user only.
  Result<std::filesystem::path> socket_dir() const;

 private:
  DataFolder(std::filesystem::path path, int lock) : path_(std::move(path)), lock_(lock) {}
  std::filesystem::path path_;
  int lock_;
};

/// Where the apps and their keys are kept, in a data folder.
std::filesystem::path apps_file(const std::filesystem::path& folder);

/// Where the daemon that holds `path` listens; nullopt where none does.
std::optional<std::vector<std::string>> find_daemon(const std::filesystem::path& path);

}  // namespace minimill::config
