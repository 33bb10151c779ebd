#include "distill/ladder_files.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <sstream>
#include <system_error>
#include <utility>

#include "base/json.h"
#include "base/log.h"
#include "base/sha256.h"

namespace minimill::distill {
namespace {

constexpr std::string_view kExtension = ".skill";
constexpr std::size_t kChecksumBytes = 64;
constexpr std::size_t kNameBytes = 32;  // of a hash: an operation's name may hold anything
constexpr std::size_t kMostFileBytes = MicroModel::kMostFileBytes + (std::size_t{1} << 20);

std::filesystem::path file_of(const std::filesystem::path& folder, const Skilled& skilled) {
  const std::string hash = sha256_hex(skilled.app + "\n" + skilled.operation);
  return folder / (hash.substr(0, kNameBytes) + std::string(kExtension));
}

std::string encode(const Skilled& skilled) {
  json::array log;
  for (const SkillEvent& event : skilled.log) {
    log.push_back({{"at_ms", unix_ms(event.at)}, {"text", event.text}});
  }
  const json::object header{{"app", skilled.app},       {"operation", skilled.operation},
                            {"pinned", skilled.pinned}, {"answered", skilled.answered},
                            {"right", skilled.right},   {"wrong", skilled.wrong},
                            {"state", skilled.state},   {"log", std::move(log)}};
  const std::string bytes = json::serialize(header) + "\n" + skilled.learner.encode();
  return sha256_hex(bytes) + bytes;
}

Result<Skilled> decode(std::string_view bytes) {
  const auto damaged = [] { return fail(ErrorCode::kCorrupt, "its checksum does not fit"); };
  if (bytes.size() < kChecksumBytes || bytes.size() > kMostFileBytes) return damaged();
  const std::string_view checksum = bytes.substr(0, kChecksumBytes);
  bytes.remove_prefix(kChecksumBytes);
  if (sha256_hex(bytes) != checksum) return damaged();
  const std::size_t end = bytes.find('\n');
  if (end == std::string_view::npos) return damaged();
  Result<json::object> header = parse_json_object(bytes.substr(0, end));
  if (!header) return std::unexpected(std::move(header.error()));
  Result<OperationLearner> learner = OperationLearner::decode(bytes.substr(end + 1));
  if (!learner) return std::unexpected(std::move(learner.error()));
  Fields fields(*header);
  Skilled skilled;
  skilled.learner = std::move(*learner);
  skilled.app = fields.string_or("app", "");
  skilled.operation = fields.string_or("operation", "");
  skilled.pinned = fields.bool_or("pinned", false);
  skilled.answered = static_cast<std::size_t>(fields.optional_integer("answered").value_or(0));
  skilled.right = static_cast<std::size_t>(fields.optional_integer("right").value_or(0));
  skilled.wrong = static_cast<std::size_t>(fields.optional_integer("wrong").value_or(0));
  skilled.state = fields.string_or("state", "");
  const json::value* log = header->if_contains("log");
  if (log != nullptr && log->is_array()) {
    for (const json::value& each : log->get_array()) {
      if (!each.is_object()) continue;
      Fields event(each.get_object());
      skilled.log.push_back({.at = from_unix_ms(event.optional_integer("at_ms").value_or(0)),
                             .text = event.string_or("text", "")});
    }
  }
  return skilled;
}

Result<> write_whole(int file, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(file, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return fail(ErrorCode::kIo, std::strerror(errno), "is the disk full?");
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
  if (::fsync(file) != 0) return fail(ErrorCode::kIo, std::strerror(errno));
  return {};
}

}  // namespace

Result<> write_skilled(const std::filesystem::path& folder, const Skilled& skilled) {
  constexpr int kOwnerOnly = 0600;
  std::error_code ec;
  std::filesystem::create_directories(folder, ec);
  std::filesystem::permissions(folder, std::filesystem::perms::owner_all, ec);
  const std::filesystem::path path = file_of(folder, skilled);
  const std::filesystem::path fresh = path.string() + ".new";
  const int file =
      ::open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, kOwnerOnly);
  if (file < 0) {
    return fail(ErrorCode::kIo,
                fmt::format("cannot write {}: {}", fresh.string(), std::strerror(errno)));
  }
  Result<> written = write_whole(file, encode(skilled));
  ::close(file);
  if (written) {
    std::filesystem::rename(fresh, path, ec);
    if (ec) written = fail(ErrorCode::kIo, ec.message());
  }
  if (written) return {};
  std::filesystem::remove(fresh, ec);
  return std::unexpected(
      std::move(written.error()).context(fmt::format("cannot write {}", path.string())));
}

void remove_skilled(const std::filesystem::path& folder, const Skilled& skilled) {
  std::error_code ignored;
  std::filesystem::remove(file_of(folder, skilled), ignored);
}

std::vector<Skilled> read_all_skilled(const std::filesystem::path& folder) {
  std::vector<Skilled> all;
  std::vector<std::filesystem::path> files;
  std::error_code ec;
  for (const auto& entry : std::filesystem::directory_iterator(folder, ec)) {
    if (entry.path().extension() == kExtension) files.push_back(entry.path());
  }
  for (const std::filesystem::path& path : files) {
    std::ifstream in(path, std::ios::binary);
    std::ostringstream text;
    text << in.rdbuf();
    const std::string bytes = text.str();
    Result<Skilled> skilled = decode(bytes);
    if (skilled) {
      all.push_back(std::move(*skilled));
      continue;
    }
    log::warn(
        "what was learnt in {} cannot be read ({}): it is set aside, and learnt again from "
        "the traces",
        path.string(), skilled.error().message);
    std::filesystem::rename(path, path.string() + ".damaged", ec);
  }
  return all;
}

}  // namespace minimill::distill
