#pragma once

// Folders and files that are for one user's eyes alone.

#include <filesystem>

#include "base/error.h"

namespace minimill {

/// Makes the folder, and those above it, where they are missing. What is there must be a folder of
/// this user's (a link to one, if the link is this user's, too): kForbidden otherwise, as in /tmp
/// another user may have been faster. Rights that others have to it are taken away, mode 0700.
Result<> make_private_folder(const std::filesystem::path& path);

/// Takes away what others may do with the files right in a folder; not those in folders below it.
Result<> make_files_private(const std::filesystem::path& folder);

}  // namespace minimill
