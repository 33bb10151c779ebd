#include "simcloud/multipart.h"

#include <algorithm>

#include "http/message.h"

namespace minimill::simcloud {
namespace {

constexpr std::size_t kMaxParts = 16;
constexpr std::size_t kMaxBoundaryBytes = 70;  // RFC 2046, section 5.1.1

std::unexpected<Error> broken(std::string message) {
  return fail(ErrorCode::kInvalidArgument, std::move(message),
              "send multipart/form-data with 'purpose' and 'file'");
}

/// The value of `key` in a header's parameters: name="file".
std::string parameter(std::string_view header, std::string_view key) {
  std::size_t at = 0;
  while ((at = header.find(';', at)) != std::string_view::npos) {
    ++at;
    while (at < header.size() && header[at] == ' ') ++at;
    std::string_view rest = header.substr(at);
    if (!http::iequals(rest.substr(0, key.size()), key) ||
        !rest.substr(key.size()).starts_with('='))
      continue;
    rest.remove_prefix(key.size() + 1);
    if (rest.starts_with('"')) {
      rest.remove_prefix(1);
      return std::string(rest.substr(0, rest.find('"')));
    }
    return std::string(rest.substr(0, rest.find_first_of("; ")));
  }
  return {};
}

Result<FormPart> read_part(std::string_view text) {
  const std::size_t end = text.find("\r\n\r\n");
  if (end == std::string_view::npos) return broken("a part of the form has no end of its headers");
  FormPart part;
  part.content = text.substr(end + 4);
  std::string_view headers = text.substr(0, end);
  while (!headers.empty()) {
    const std::string_view line = headers.substr(0, headers.find("\r\n"));
    headers.remove_prefix(std::min(line.size() + 2, headers.size()));
    constexpr std::string_view kDisposition = "content-disposition:";
    if (!http::iequals(line.substr(0, kDisposition.size()), kDisposition)) continue;
    part.name = parameter(line, "name");
    part.filename = parameter(line, "filename");
  }
  if (part.name.empty()) return broken("a part of the form has no name");
  return part;
}

}  // namespace

Result<std::vector<FormPart>> parse_form(std::string_view content_type, std::string_view body) {
  const std::string boundary = parameter(content_type, "boundary");
  if (!content_type.starts_with("multipart/form-data") || boundary.empty() ||
      boundary.size() > kMaxBoundaryBytes) {
    return broken("expected multipart/form-data with a boundary");
  }
  const std::string delimiter = "--" + boundary;
  if (!body.starts_with(delimiter)) return broken("the form does not begin with its boundary");
  body.remove_prefix(delimiter.size());
  std::vector<FormPart> parts;
  while (body.starts_with("\r\n")) {
    body.remove_prefix(2);
    const std::size_t end = body.find("\r\n" + delimiter);
    if (end == std::string_view::npos) return broken("the form breaks off");
    Result<FormPart> part = read_part(body.substr(0, end));
    if (!part) return std::unexpected(std::move(part.error()));
    if (parts.size() == kMaxParts) return broken("the form has too many parts");
    parts.push_back(std::move(*part));
    body.remove_prefix(end + 2 + delimiter.size());
  }
  if (!body.starts_with("--")) return broken("the form breaks off");
  return parts;
}

}  // namespace minimill::simcloud
