#include "models/gguf.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstring>
#include <limits>
#include <map>
#include <optional>
#include <utility>

#include "models/gguf_reader.h"
#include "models/gguf_tensor_types.h"

namespace minimill::models {
namespace {

// Far beyond any real model, and small enough that a lie costs nothing.
constexpr std::uint64_t kMaxEntries = 65'536;
constexpr std::uint64_t kMaxTensors = 65'536;
constexpr std::uint64_t kMaxKeyBytes = 65'535;  // the format's own limit
constexpr std::uint64_t kMaxStringBytes = 16 << 20;
constexpr std::uint64_t kMaxLayers = 65'536;
constexpr std::int64_t kMaxHeads = 1 << 20;
constexpr std::uint64_t kMaxArrayItems = 16 << 20;
constexpr std::uint64_t kMaxShownBytes = 256;  // of a name
constexpr std::uint32_t kMaxDimensions = 4;
constexpr std::uint64_t kMaxElements = std::uint64_t{1} << 47;  // of a tensor
constexpr std::uint64_t kMaxOffset = std::uint64_t{1} << 60;
constexpr std::uint64_t kMaxAlignment = 1 << 20;
constexpr std::int64_t kMaxCount = std::int64_t{1} << 40;  // of layers, of tokens in the context
constexpr int kMaxArrayDepth = 2;
constexpr std::uint64_t kDefaultAlignment = 32;
constexpr std::uint32_t kOldestVersion = 2;
constexpr std::uint32_t kNewestVersion = 3;

enum ValueType : std::uint32_t {
  kUint8,
  kInt8,
  kUint16,
  kInt16,
  kUint32,
  kInt32,
  kFloat32,
  kBool,
  kString,
  kArray,
  kUint64,
  kInt64,
  kFloat64
};

std::unexpected<Error> corrupt(std::string what) {
  return fail(ErrorCode::kCorrupt, std::move(what), "get the model again: minimill pull");
}

/// Bytes of a value; 0 for strings, arrays and what is no type.
std::uint64_t size_of(std::uint32_t type) {
  switch (type) {
    case kUint8:
    case kInt8:
    case kBool:
      return 1;
    case kUint16:
    case kInt16:
      return 2;
    case kUint32:
    case kInt32:
    case kFloat32:
      return 4;
    case kUint64:
    case kInt64:
    case kFloat64:
      return 8;
    default:
      return 0;
  }
}

/// False: it does not end, or is of no known type.
bool skip_value(GgufReader& in, std::uint32_t type, int depth = 0) {
  if (type == kString) {
    const auto size = in.number<std::uint64_t>();
    if (size > kMaxStringBytes) return false;
    in.skip(size);
    return !in.failed();
  }
  if (type != kArray) {
    const std::uint64_t size = size_of(type);
    if (size > 0) in.skip(size);
    return size > 0 && !in.failed();
  }
  const auto item = in.number<std::uint32_t>();
  const auto count = in.number<std::uint64_t>();
  if (in.failed() || count > kMaxArrayItems || depth >= kMaxArrayDepth) return false;
  if (const std::uint64_t each = size_of(item); each > 0) {
    in.skip(each * count);
    return !in.failed();
  }
  for (std::uint64_t i = 0; i < count; ++i) {
    if (!skip_value(in, item, depth + 1)) return false;
  }
  return true;
}

std::optional<std::int64_t> integer(GgufReader& in, std::uint32_t type) {
  switch (type) {
    case kUint8:
      return in.number<std::uint8_t>();
    case kUint16:
      return in.number<std::uint16_t>();
    case kUint32:
      return in.number<std::uint32_t>();
    case kUint64:
      return static_cast<std::int64_t>(in.number<std::uint64_t>());
    case kInt8:
      return in.number<std::int8_t>();
    case kInt16:
      return in.number<std::int16_t>();
    case kInt32:
      return in.number<std::int32_t>();
    case kInt64:
      return in.number<std::int64_t>();
    default:
      return std::nullopt;
  }
}

/// The sum of an array of whole numbers: what each layer has of something, where they differ.
std::optional<std::int64_t> sum_of_array(GgufReader& in) {
  const auto item = in.number<std::uint32_t>();
  const auto count = in.number<std::uint64_t>();
  if (in.failed() || count > kMaxLayers) return std::nullopt;
  std::int64_t sum = 0;
  for (std::uint64_t i = 0; i < count; ++i) {
    const std::optional<std::int64_t> each = integer(in, item);
    if (!each || in.failed() || *each < 0 || *each > kMaxHeads) return std::nullopt;
    sum += *each;
  }
  return sum;
}

/// A name as a terminal may show it, and JSON carry it: no control characters, and nothing past
/// ASCII unless it is text that somebody could have meant.
std::string shown(std::string text) {
  const bool cut = text.size() > kMaxShownBytes;
  text.resize(std::min<std::size_t>(text.size(), kMaxShownBytes));
  const auto is_sound = [](std::string_view bytes) {
    while (!bytes.empty()) {
      const auto lead = static_cast<unsigned char>(bytes.front());
      const int length = lead < 0x80 ? 1 : std::countl_one(lead);
      if (length > 4 || (lead >= 0x80 && length < 2)) return false;
      if (bytes.size() < static_cast<std::size_t>(length)) return false;
      for (int i = 1; i < length; ++i) {
        if ((static_cast<unsigned char>(bytes[static_cast<std::size_t>(i)]) & 0xC0U) != 0x80)
          return false;
      }
      // Overlong forms, surrogates and what lies past U+10FFFF (RFC 3629) begin with one of these.
      const auto second = length > 1 ? static_cast<unsigned char>(bytes[1]) : 0U;
      if (lead == 0xC0 || lead == 0xC1 || lead > 0xF4 || (lead == 0xE0 && second < 0xA0) ||
          (lead == 0xED && second > 0x9F) || (lead == 0xF0 && second < 0x90) ||
          (lead == 0xF4 && second > 0x8F) || (lead == 0xC2 && second < 0xA0)) {
        return false;
      }
      bytes.remove_prefix(static_cast<std::size_t>(length));
    }
    return true;
  };
  const bool sound = !cut && is_sound(text);
  std::ranges::replace_if(
      text,
      [sound](char c) {
        const auto byte = static_cast<unsigned char>(c);
        return byte < 0x20 || byte == 0x7F || (byte >= 0x80 && !sound);
      },
      '?');
  return text;
}

struct Head {
  GgufInfo info;
  std::uint64_t alignment = kDefaultAlignment;
  std::int64_t kv_heads_of_each = 0;  // where all layers have as many
};

/// Takes what is of interest, skips the rest. False: damaged.
bool read_entry(GgufReader& in, Head& head) {
  GgufInfo& info = head.info;
  const std::string key = in.string(kMaxKeyBytes);
  const auto type = in.number<std::uint32_t>();
  if (in.failed()) return false;
  if (type == kString && (key == "general.architecture" || key == "general.name")) {
    (key == "general.name" ? info.name : info.architecture) = shown(in.string(kMaxStringBytes));
    return !in.failed();
  }
  if (key == "tokenizer.chat_template") info.has_chat_template = true;
  if (type == kArray && key.ends_with(".attention.head_count_kv")) {
    const std::optional<std::int64_t> sum = sum_of_array(in);
    info.kv_heads = sum.value_or(0);
    return sum.has_value();
  }
  std::int64_t align = 0;
  std::int64_t* wanted = nullptr;
  if (key.ends_with(".context_length")) wanted = &info.context_length;
  if (key.ends_with(".embedding_length")) wanted = &info.embedding_length;
  if (key.ends_with(".block_count")) wanted = &info.layers;
  if (key.ends_with(".pooling_type")) wanted = &info.pooling_type;
  if (key.ends_with(".attention.head_count")) wanted = &info.heads;
  if (key.ends_with(".attention.head_count_kv")) wanted = &head.kv_heads_of_each;
  if (key.ends_with(".attention.key_length")) wanted = &info.key_length;
  if (key.ends_with(".attention.value_length")) wanted = &info.value_length;
  if (key == "general.alignment") wanted = &align;
  if (wanted == nullptr) return skip_value(in, type);
  const std::optional<std::int64_t> value = integer(in, type);
  if (!value) return skip_value(in, type);
  if (in.failed() || *value < 0 || *value > kMaxCount) return false;
  *wanted = *value;
  if (wanted != &align) return true;
  head.alignment = static_cast<std::uint64_t>(align);
  return std::has_single_bit(head.alignment) && head.alignment <= kMaxAlignment;
}

struct Tensor {
  std::uint64_t elements = 1;
  std::uint64_t bytes = 0;
  std::uint64_t offset = 0;
  const TensorType* type = nullptr;
};

Result<Tensor> read_tensor(GgufReader& in) {
  const std::string name = shown(in.string(kMaxKeyBytes));
  const auto dimensions = in.number<std::uint32_t>();
  if (in.failed()) return corrupt("truncated or damaged: its table of tensors does not end");
  const auto damaged = [&name] { return corrupt(fmt::format("the tensor '{}' is damaged", name)); };
  if (dimensions > kMaxDimensions) return damaged();
  Tensor tensor;
  std::uint64_t row = 1;
  for (std::uint32_t i = 0; i < dimensions; ++i) {
    const auto size = in.number<std::uint64_t>();
    if (size == 0 || size > kMaxElements / tensor.elements) return damaged();
    if (i == 0) row = size;
    tensor.elements *= size;
  }
  const auto type = in.number<std::uint32_t>();
  tensor.offset = in.number<std::uint64_t>();
  if (in.failed()) return corrupt("truncated or damaged: its table of tensors does not end");
  tensor.type = find_tensor_type(type);
  if (tensor.type == nullptr) {
    return fail(ErrorCode::kUnsupported,
                fmt::format("the tensor '{}' is of type {}, which is not known here", name, type),
                "take the model in another quantization, Q4_K_M say, or a newer minimill");
  }
  if (row % tensor.type->block != 0 || tensor.offset > kMaxOffset) return damaged();
  tensor.bytes = tensor.elements / tensor.type->block * tensor.type->bytes;
  return tensor;
}

std::string megabytes(std::uint64_t bytes) {
  constexpr double kMegabyte = 1e6;
  return fmt::format("{:.1f} MB", static_cast<double>(bytes) / kMegabyte);
}

std::uint64_t aligned(std::uint64_t bytes, std::uint64_t alignment) {
  return (bytes + alignment - 1) / alignment * alignment;
}

/// The table of tensors: counts, and whether the file holds them all.
Result<> read_tensors(GgufReader& in, std::uint64_t alignment, GgufInfo& info) {
  std::map<std::string_view, std::uint64_t> weights;
  std::uint64_t end = 0;
  std::uint64_t sum = 0;
  for (std::uint64_t i = 0; i < info.tensors; ++i) {
    Result<Tensor> tensor = read_tensor(in);
    if (!tensor) return std::unexpected(std::move(tensor.error()));
    if (tensor->offset % alignment != 0) return corrupt("its tensors do not lie where they should");
    info.parameters += tensor->elements;
    weights[tensor->type->name] += tensor->elements;
    end = std::max(end, tensor->offset + tensor->bytes);
    sum += tensor->bytes;
    // Those of an honest file lie side by side.
    if (sum > info.file_bytes && sum > end) return corrupt("its tensors lie upon each other");
  }
  const auto most =
      std::ranges::max_element(weights, {}, [](const auto& each) { return each.second; });
  if (most != weights.end()) info.quantization = most->first;
  const std::uint64_t needed = aligned(in.position(), alignment) + end;
  if (needed <= info.file_bytes) return {};
  return corrupt(fmt::format("truncated: {} of {}", megabytes(info.file_bytes), megabytes(needed)));
}

Result<GgufInfo> read_head(GgufReader& in, std::uint64_t file_bytes) {
  Head head;
  GgufInfo& info = head.info;
  info.file_bytes = file_bytes;
  info.version = in.number<std::uint32_t>();
  info.tensors = in.number<std::uint64_t>();
  const auto entries = in.number<std::uint64_t>();
  if (in.failed()) return corrupt(fmt::format("truncated: only {} bytes", file_bytes));
  if (info.version == std::byteswap(kNewestVersion) ||
      info.version == std::byteswap(kOldestVersion)) {
    return fail(ErrorCode::kUnsupported, "a big-endian GGUF", "take the little-endian one");
  }
  if (info.version < kOldestVersion || info.version > kNewestVersion) {
    return fail(ErrorCode::kCorrupt,
                fmt::format("GGUF version {}, where {} and {} are known", info.version,
                            kOldestVersion, kNewestVersion),
                "convert the model again with a current llama.cpp");
  }
  if (info.tensors > kMaxTensors || entries > kMaxEntries) return corrupt("a damaged GGUF head");
  if (info.tensors == 0) return corrupt("a GGUF without weights");
  for (std::uint64_t i = 0; i < entries; ++i) {
    if (read_entry(in, head)) continue;
    return corrupt("truncated or damaged: its metadata does not end");
  }
  if (info.kv_heads == 0) {
    const std::int64_t each = head.kv_heads_of_each > 0 ? head.kv_heads_of_each : info.heads;
    if (each <= kMaxHeads && info.layers <= kMaxCount / kMaxHeads)
      info.kv_heads = each * info.layers;
  }
  Result<> tensors = read_tensors(in, head.alignment, info);
  if (!tensors) return std::unexpected(std::move(tensors.error()));
  return std::move(info);
}

/// An open regular file and its size.
class OpenFile {
 public:
  explicit OpenFile(const std::filesystem::path& path)
      // Not held up by a pipe that nobody writes to.
      : fd_(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)) {}
  ~OpenFile() {
    if (fd_ >= 0) ::close(fd_);
  }
  OpenFile(const OpenFile&) = delete;
  OpenFile& operator=(const OpenFile&) = delete;

  int fd() const { return fd_; }
  std::optional<std::uint64_t> size() const {
    struct stat status{};
    if (::fstat(fd_, &status) != 0 || !S_ISREG(status.st_mode)) return std::nullopt;
    return static_cast<std::uint64_t>(status.st_size);
  }

 private:
  int fd_;
};

}  // namespace

Result<GgufInfo> read_gguf(const std::filesystem::path& path) {
  static_assert(std::endian::native == std::endian::little, "GGUF is read as it lies on disk");
  constexpr std::string_view kMagic = "GGUF";
  constexpr std::size_t kShownOfOthers = 16;

  const OpenFile file(path);
  if (file.fd() < 0) {
    const int why = errno;
    return fail(why == ENOENT || why == ENOTDIR ? ErrorCode::kNotFound : ErrorCode::kIo,
                fmt::format("cannot open {}: {}", path.string(), std::strerror(why)));
  }
  const std::optional<std::uint64_t> size = file.size();
  if (!size) {
    return fail(ErrorCode::kInvalidArgument, fmt::format("{} is not a file", path.string()),
                "give a model in llama.cpp's GGUF format");
  }
  GgufReader in(file.fd(), *size);
  const std::string begins = in.some(kShownOfOthers);
  if (!begins.starts_with(kMagic)) {
    return fail(ErrorCode::kCorrupt,
                begins.empty() ? fmt::format("{} is empty", path.string())
                               : fmt::format("{} is not a GGUF: it begins with '{}'", path.string(),
                                             shown(begins)),
                "give a model in llama.cpp's GGUF format");
  }
  GgufReader head(file.fd(), *size);
  head.skip(kMagic.size());
  Result<GgufInfo> info = read_head(head, *size);
  if (!info) return std::unexpected(std::move(info.error()).context(path.string()));
  return info;
}

}  // namespace minimill::models
