#include "cli/program_path.h"

#include <cstdlib>
#include <sstream>
#include <string>

#ifdef __APPLE__
#include <mach-o/dyld.h>
#endif

namespace minimill::cli {
namespace {

std::filesystem::path told_by_the_system() {
  std::error_code ec;
#ifdef __APPLE__
  std::string buffer(4096, '\0');
  auto size = static_cast<std::uint32_t>(buffer.size());
  if (_NSGetExecutablePath(buffer.data(), &size) != 0) return {};
  return std::filesystem::canonical(buffer.c_str(), ec);
#else
  return std::filesystem::read_symlink("/proc/self/exe", ec);
#endif
}

}  // namespace

std::filesystem::path program_path(const char* argv0) {
  if (std::filesystem::path told = told_by_the_system(); !told.empty()) return told;
  const std::filesystem::path given(argv0);
  if (given.has_parent_path()) return std::filesystem::absolute(given);
  const char* path = std::getenv("PATH");
  std::istringstream folders(path == nullptr ? "" : path);
  for (std::string folder; std::getline(folders, folder, ':');) {
    std::error_code ec;
    std::filesystem::path candidate = std::filesystem::path(folder) / given;
    if (std::filesystem::is_regular_file(candidate, ec))
      return std::filesystem::absolute(candidate);
  }
  return std::filesystem::absolute(given);
}

}  // namespace minimill::cli
