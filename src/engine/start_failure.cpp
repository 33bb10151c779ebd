#include "engine/start_failure.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <vector>

namespace minimill::engine {
namespace {

constexpr int kSignalStatus = 128;
constexpr int kKilled = kSignalStatus + 9;
constexpr int kNotStarted = 127;
constexpr std::size_t kMaxQuotedBytes = 300;

std::vector<std::string_view> lines_of(std::string_view text) {
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    if (const std::string_view line = text.substr(0, end); !line.empty()) lines.push_back(line);
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return lines;
}

/// The line that tells a person most. Loading errors come as a cascade of ever vaguer lines, so the
/// first that names a cause wins; failing that, the last.
std::string_view telling_line(std::string_view output) {
  constexpr std::string_view kCauses[] = {"error loading model: ", "error: ", "failed to allocate",
                                          "couldn't bind"};
  const std::vector<std::string_view> lines = lines_of(output);
  for (const std::string_view cause : kCauses) {
    for (const std::string_view line : lines) {
      const std::size_t at = line.find(cause);
      if (at == line.npos) continue;
      return line.substr(cause.ends_with(": ") ? at + cause.size() : at);
    }
  }
  return lines.empty() ? std::string_view() : lines.back();
}

bool contains_any(std::string_view text, std::initializer_list<std::string_view> parts) {
  return std::any_of(parts.begin(), parts.end(),
                     [&](std::string_view part) { return text.find(part) != text.npos; });
}

}  // namespace

std::string describe_exit(int status) {
  if (status > kSignalStatus) return fmt::format("signal {}", status - kSignalStatus);
  return fmt::format("status {}", status);
}

Error start_failure(std::string_view engine, std::string_view output, int status) {
  const std::string_view line = telling_line(output).substr(0, kMaxQuotedBytes);
  Error error;
  error.code = ErrorCode::kUnavailable;
  error.message = fmt::format("llama-server for {} ended with {} while starting", engine,
                              describe_exit(status));
  if (!line.empty()) error.message += fmt::format(": {}", line);

  if (status == kNotStarted && output.find("cannot run") != output.npos) {
    error.code = ErrorCode::kNotFound;
    error.hint = "run make, or set [local] llama_server";
  } else if (contains_any(line, {"corrupted", "incomplete", "not within the file bounds",
                                 "invalid magic", "failed to read"})) {
    error.code = ErrorCode::kCorrupt;
    error.hint = "the model file is damaged or incomplete: pull it again";
  } else if (contains_any(line, {"unknown model architecture", "unsupported model"})) {
    error.code = ErrorCode::kUnsupported;
    error.hint = "this llama-server does not know the model: use a newer one";
  } else if (contains_any(line, {"invalid argument", "unknown argument"})) {
    error.code = ErrorCode::kInvalidArgument;
    error.hint = "check the engine's extra arguments in the config";
  } else if (status == kKilled || contains_any(line, {"allocate", "out of memory"})) {
    error.hint = "probably out of memory: use a smaller model, fewer slots or a smaller context";
  } else {
    error.hint = "start llama-server by hand with this model to see more";
  }
  return error;
}

}  // namespace minimill::engine
