#include "models/store.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <sstream>
#include <utility>

#include "base/json.h"

namespace minimill::models {
namespace {

constexpr std::size_t kMaxNameBytes = 128;

bool is_path(std::string_view text) {
  return text.starts_with('/') || text.starts_with("./") || text.starts_with("../") ||
         text.ends_with(".gguf");
}

Result<std::string> stem_of(std::string_view name) {
  const auto allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '-' || c == '_' || c == ':';
  };
  const bool good = !name.empty() && name.size() <= kMaxNameBytes && !name.starts_with('.') &&
                    std::ranges::all_of(name, allowed);
  if (!good) {
    return fail_field("model", fmt::format("'{}' is no model name", name.substr(0, kMaxNameBytes)),
                      "use letters, digits, '.', '-', '_' and ':', as in smollm2:135m");
  }
  std::string stem(name);
  std::ranges::replace(stem, ':', '-');
  return stem;
}

Result<> sync_to_disk(const std::filesystem::path& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  const bool done = fd >= 0 && ::fsync(fd) == 0;
  if (fd >= 0) ::close(fd);
  if (done) return {};
  return fail(ErrorCode::kIo, fmt::format("cannot write {} to disk", path.string()),
              "is the disk full?");
}

Result<> write_note(const std::filesystem::path& path, const json::object& note) {
  const std::filesystem::path fresh = path.string() + ".new";
  std::ofstream out(fresh, std::ios::binary | std::ios::trunc);
  out << json::serialize(note) << '\n';
  out.close();
  if (!out)
    return fail(ErrorCode::kIo, fmt::format("cannot write {}", fresh.string()),
                "is the disk full?");
  std::error_code ec;
  std::filesystem::rename(fresh, path, ec);
  if (ec)
    return fail(ErrorCode::kIo, fmt::format("cannot write {}: {}", path.string(), ec.message()));
  return {};
}

Result<Model> read_model(const std::filesystem::path& file, std::string name) {
  Result<GgufInfo> info = read_gguf(file);
  if (!info) return std::unexpected(std::move(info.error()));
  Model model{
      .name = std::move(name), .file = file, .source = {}, .sha256 = {}, .info = std::move(*info)};
  std::filesystem::path note = file;
  note.replace_extension(".json");
  std::ifstream in(note, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  if (const Result<json::object> said =
          in ? parse_json_object(text.str()) : Result<json::object>{}) {
    Fields fields(*said);
    model.name = fields.string_or("name", model.name);
    model.source = fields.string_or("source", "");
    model.sha256 = fields.string_or("sha256", "");
  }
  return model;
}

}  // namespace

Store::Store(std::filesystem::path folder) : folder_(std::move(folder)) {}

Store::Stamp Store::stamp_of(const std::filesystem::path& file) {
  std::filesystem::path note = file;
  note.replace_extension(".json");
  std::error_code missing;  // then the stamp has the smallest time there is
  Stamp stamp;
  stamp.file = std::filesystem::last_write_time(file, missing);
  stamp.note = std::filesystem::last_write_time(note, missing);
  stamp.bytes = std::filesystem::file_size(file, missing);
  return stamp;
}

Result<Model> Store::read(const std::filesystem::path& file, std::string name) const {
  const Stamp stamp = stamp_of(file);
  auto known = read_.find(file);
  if (known == read_.end() || known->second.stamp != stamp) {
    if (known == read_.end() && read_.size() >= kMaxKept) read_.clear();
    Read fresh{.stamp = stamp, .model = read_model(file, std::string())};
    known = read_.insert_or_assign(file, std::move(fresh)).first;
  }
  Result<Model> model = known->second.model;
  if (model && model->name.empty()) model->name = std::move(name);
  return model;
}

std::vector<Model> Store::list() const {
  std::vector<Model> models;
  std::error_code ec;
  for (const auto& entry : std::filesystem::directory_iterator(folder_, ec)) {
    if (entry.path().extension() != ".gguf") continue;
    if (Result<Model> model = read(entry.path(), entry.path().stem().string())) {
      models.push_back(std::move(*model));
    }
  }
  std::ranges::sort(models, {}, &Model::name);
  return models;
}

Result<std::filesystem::path> Store::path_for(std::string_view name) const {
  Result<std::string> stem = stem_of(name);
  if (!stem) return std::unexpected(std::move(stem.error()));
  return folder_ / (*stem + ".gguf");
}

Result<Model> Store::find(std::string_view name_or_path) const {
  if (is_path(name_or_path))
    return read(std::filesystem::path(name_or_path), std::string(name_or_path));
  Result<std::filesystem::path> file = path_for(name_or_path);
  if (!file) return std::unexpected(std::move(file.error()));
  std::error_code ec;
  if (std::filesystem::exists(*file, ec)) return read(*file, std::string(name_or_path));
  std::vector<std::string> names;
  for (const Model& model : list()) names.push_back(model.name);
  return fail(ErrorCode::kNotFound, fmt::format("no local model '{}'", name_or_path),
              names.empty() ? fmt::format("get it with: minimill pull {}", name_or_path)
                            : fmt::format("here are {}; others come with: minimill pull NAME",
                                          fmt::join(names, ", ")));
}

Result<Model> Store::adopt(std::string_view name, const std::filesystem::path& complete_file,
                           std::string source, std::string sha256) const {
  Result<std::filesystem::path> place = path_for(name);
  if (!place) return std::unexpected(std::move(place.error()));
  Result<GgufInfo> info = read_gguf(complete_file);
  if (!info) return std::unexpected(std::move(info.error()));
  std::error_code ec;
  std::filesystem::create_directories(folder_, ec);
  std::filesystem::path note_path = *place;
  note_path.replace_extension(".json");
  const json::object note{{"name", name}, {"source", source}, {"sha256", sha256}};
  if (Result<> synced = sync_to_disk(complete_file); !synced)
    return std::unexpected(synced.error());
  if (Result<> noted = write_note(note_path, note); !noted) return std::unexpected(noted.error());
  std::filesystem::rename(complete_file, *place, ec);
  if (ec)
    return fail(ErrorCode::kIo, fmt::format("cannot write {}: {}", place->string(), ec.message()));
  if (Result<> synced = sync_to_disk(folder_); !synced) return std::unexpected(synced.error());
  return Model{.name = std::string(name),
               .file = *place,
               .source = std::move(source),
               .sha256 = std::move(sha256),
               .info = std::move(*info)};
}

Result<std::filesystem::path> Store::make_partial_folder() const {
  std::error_code ec;
  std::filesystem::create_directories(partial_folder(), ec);
  if (!ec) return partial_folder();
  return fail(ErrorCode::kIo,
              fmt::format("cannot create {}: {}", partial_folder().string(), ec.message()),
              "is the disk full, or the folder somebody else's?");
}

Result<> Store::remove(std::string_view name) const {
  Result<std::filesystem::path> file = path_for(name);
  if (!file) return std::unexpected(std::move(file.error()));
  std::error_code ec;
  if (!std::filesystem::remove(*file, ec)) {
    return fail(ErrorCode::kNotFound, fmt::format("no local model '{}'", name),
                "minimill models lists them");
  }
  file->replace_extension(".json");
  std::filesystem::remove(*file, ec);
  return {};
}

}  // namespace minimill::models
