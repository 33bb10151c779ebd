#pragma once

// The models on this machine: GGUF files in one folder, each stored once, with a small JSON file
// beside it that says where it came from and what its bytes hash to. A head is read once, and again
// when the file changes, so that asking costs the event loop a look at the folder. One thread.
//
//   <data>/models/smollm2-135m.gguf
//   <data>/models/smollm2-135m.json   {"name": "smollm2:135m", "source": "…", "sha256": "…", …}

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "models/gguf.h"

namespace minimill::models {

struct Model {
  std::string name;  // "smollm2:135m"
  std::filesystem::path file;
  std::string source;
  std::string sha256;
  GgufInfo info;
};

class Store {
 public:
  explicit Store(std::filesystem::path folder);

  /// By name; a damaged entry is left out of the list and is an error in find().
  std::vector<Model> list() const;
  /// A name from the store, or a path to a GGUF ("/…", "./…", "…​.gguf"). kNotFound names
  /// the models there are and the command that pulls one.
  Result<Model> find(std::string_view name_or_path) const;
  /// Where a model of that name is kept.
  Result<std::filesystem::path> path_for(std::string_view name) const;
  /// Records a complete, verified file under its name: checks that it is a GGUF, renames it into
  /// place.
  Result<Model> adopt(std::string_view name, const std::filesystem::path& complete_file,
                      std::string source, std::string sha256) const;
  Result<> remove(std::string_view name) const;

  /// Where what is not yet whole waits; on the same disk, so that adopt() can rename.
  std::filesystem::path partial_folder() const { return folder_ / ".partial"; }
  Result<std::filesystem::path> make_partial_folder() const;

  const std::filesystem::path& folder() const { return folder_; }

 private:
  /// What tells whether a model is still the one that was read.
  struct Stamp {
    std::filesystem::file_time_type file;
    std::filesystem::file_time_type note;
    std::uintmax_t bytes = 0;
    bool operator==(const Stamp&) const = default;
  };
  struct Read {
    Stamp stamp;
    Result<Model> model;
  };
  /// More would be a folder that somebody fills for the sake of filling it.
  static constexpr std::size_t kMaxKept = 1'000;

  static Stamp stamp_of(const std::filesystem::path& file);
  Result<Model> read(const std::filesystem::path& file, std::string name) const;

  std::filesystem::path folder_;
  mutable std::map<std::filesystem::path, Read> read_;
};

}  // namespace minimill::models
