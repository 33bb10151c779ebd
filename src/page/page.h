#pragma once

// The web page's files, built from web/ and compiled in: compressed once, when minimill is built.
// Where that was done without Node.js there is one file, which says so (cmake/Page.cmake).

#include <span>
#include <string_view>

namespace minimill::page {

struct File {
  std::string_view name;  // "index.html", "floor-3f2a.js": all but the former never change
  std::string_view type;  // of its content
  std::string_view etag;  // with its quotation marks
  std::string_view gzip;  // the content
};

std::span<const File> files();

}  // namespace minimill::page
