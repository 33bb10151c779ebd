// A file of any bytes is read as a GGUF, or refused: nothing else happens, and what is read keeps
// its promises.

#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "models/gguf.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const std::filesystem::path path =
      std::filesystem::temp_directory_path() / ("minimill-gguf-fuzz-" + std::to_string(::getpid()));
  {
    std::ofstream out(path, std::ios::binary | std::ios::trunc);
    out.write(reinterpret_cast<const char*>(data), static_cast<std::streamsize>(size));
  }
  const auto info = minimill::models::read_gguf(path);
  if (info && (info->tensors == 0 || info->file_bytes != size || info->layers < 0)) std::abort();
  if (!info && info.error().message.empty()) std::abort();
  return 0;
}
