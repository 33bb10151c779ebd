#include "models/gguf.h"

#include <fmt/format.h>

#include <array>
#include <bit>
#include <cstring>
#include <fstream>
#include <limits>
#include <map>
#include <optional>
#include <utility>
#include <vector>

namespace minimill::models {
namespace {

// Far beyond any real model, and small enough that a lie costs nothing.
constexpr std::uint64_t kMaxEntries = 65'536;
constexpr std::uint64_t kMaxTensors = 65'536;
constexpr std::uint64_t kMaxKeyBytes = 65'535;  // the format's own limit
constexpr std::uint64_t kMaxStringBytes = 16 << 20;
constexpr std::uint64_t kMaxArrayItems = 16 << 20;
constexpr std::uint32_t kMaxDimensions = 4;
constexpr int kMaxArrayDepth = 2;
constexpr std::uint64_t kDefaultAlignment = 32;

enum ValueType : std::uint32_t {
  kUint8, kInt8, kUint16, kInt16, kUint32, kInt32, kFloat32, kBool, kString, kArray, kUint64, kInt64, kFloat64
};

/// Name, elements and bytes of a block, by ggml's type number.
struct TensorType {
  std::string_view name;
  std::uint64_t block;
  std::uint64_t bytes;
};

const std::map<std::uint32_t, TensorType>& tensor_types() {
  static const std::map<std::uint32_t, TensorType> types{
      {0, {"F32", 1, 4}},       {1, {"F16", 1, 2}},        {2, {"Q4_0", 32, 18}},
      {3, {"Q4_1", 32, 20}},    {6, {"Q5_0", 32, 22}},     {7, {"Q5_1", 32, 24}},
      {8, {"Q8_0", 32, 34}},    {9, {"Q8_1", 32, 36}},     {10, {"Q2_K", 256, 84}},
      {11, {"Q3_K", 256, 110}}, {12, {"Q4_K", 256, 144}},  {13, {"Q5_K", 256, 176}},
      {14, {"Q6_K", 256, 210}}, {15, {"Q8_K", 256, 292}},  {16, {"IQ2_XXS", 256, 66}},
      {17, {"IQ2_XS", 256, 74}},{18, {"IQ3_XXS", 256, 98}},{19, {"IQ1_S", 256, 50}},
      {20, {"IQ4_NL", 32, 18}}, {21, {"IQ3_S", 256, 110}}, {22, {"IQ2_S", 256, 82}},
      {23, {"IQ4_XS", 256, 136}},{24, {"I8", 1, 1}},       {25, {"I16", 1, 2}},
      {26, {"I32", 1, 4}},      {27, {"I64", 1, 8}},       {28, {"F64", 1, 8}},
      {29, {"IQ1_M", 256, 56}}, {30, {"BF16", 1, 2}},      {34, {"TQ1_0", 256, 54}},
      {35, {"TQ2_0", 256, 66}}, {39, {"MXFP4", 32, 17}}};
  return types;
}

std::unexpected<Error> corrupt(std::string what) {
  return fail(ErrorCode::kCorrupt, std::move(what), "get the model again: minimill pull");
}

/// Numbers and strings off a file whose length is known; the first failure sticks.
class Reader {
 public:
  Reader(std::ifstream& in, std::uint64_t size) : in_(in), left_(size) {}

  template <class Number>
  Number number() {
    Number value{};
    bytes(reinterpret_cast<char*>(&value), sizeof value);
    return value;
  }

  std::string string(std::uint64_t max) {
    const auto size = number<std::uint64_t>();
    if (size > max || size > left_) {
      failed_ = true;
      return {};
    }
    std::string text(size, '\0');
    bytes(text.data(), size);
    return text;
  }

  void skip(std::uint64_t count) {
    if (failed_ || count > left_) {
      failed_ = true;
      return;
    }
    in_.seekg(static_cast<std::streamoff>(count), std::ios::cur);
    left_ -= count;
  }

  bool failed() const { return failed_ || !in_; }
  std::uint64_t left() const { return left_; }

 private:
  void bytes(char* out, std::uint64_t count) {
    if (failed_ || count > left_) {
      failed_ = true;
      return;
    }
    in_.read(out, static_cast<std::streamsize>(count));
    left_ -= count;
  }

  std::ifstream& in_;
  std::uint64_t left_;
  bool failed_ = false;
};

std::uint64_t size_of(std::uint32_t type) {
  switch (type) {
    case kUint8: case kInt8: case kBool: return 1;
    case kUint16: case kInt16: return 2;
    case kUint32: case kInt32: case kFloat32: return 4;
    case kUint64: case kInt64: case kFloat64: return 8;
    default: return 0;
  }
}

bool skip_value(Reader& in, std::uint32_t type, int depth = 0) {
  if (type == kString) {
    const auto size = in.number<std::uint64_t>();
    if (size > kMaxStringBytes) return false;
    in.skip(size);
  } else if (type == kArray) {
    const auto item = in.number<std::uint32_t>();
    const auto count = in.number<std::uint64_t>();
    if (count > kMaxArrayItems || depth >= kMaxArrayDepth) return false;
    if (const std::uint64_t each = size_of(item); each > 0) {
      in.skip(each * count);
    } else {
      for (std::uint64_t i = 0; i < count && !in.failed(); ++i) {
        if (!skip_value(in, item, depth + 1)) return false;
      }
    }
  } else if (const std::uint64_t size = size_of(type); size > 0) {
    in.skip(size);
  } else {
    return false;
  }
  return !in.failed();
}

std::optional<std::int64_t> integer(Reader& in, std::uint32_t type) {
  switch (type) {
    case kUint32: return in.number<std::uint32_t>();
    case kInt32: return in.number<std::int32_t>();
    case kUint64: return static_cast<std::int64_t>(in.number<std::uint64_t>() & std::numeric_limits<std::int64_t>::max());
    case kInt64: return in.number<std::int64_t>();
    case kUint16: return in.number<std::uint16_t>();
    default: return std::nullopt;
  }
}

/// Takes what is of interest, skips the rest. False: not readable.
bool read_entry(Reader& in, GgufInfo& info, std::uint64_t& alignment) {
  const std::string key = in.string(kMaxKeyBytes);
  const auto type = in.number<std::uint32_t>();
  if (in.failed()) return false;
  if (type == kString && (key == "general.architecture" || key == "general.name")) {
    (key == "general.name" ? info.name : info.architecture) = in.string(kMaxStringBytes);
    return !in.failed();
  }
  if (key == "tokenizer.chat_template") info.has_chat_template = true;
  std::int64_t* wanted = nullptr;
  std::int64_t align = 0;
  if (key.ends_with(".context_length")) wanted = &info.context_length;
  if (key.ends_with(".embedding_length")) wanted = &info.embedding_length;
  if (key.ends_with(".block_count")) wanted = &info.layers;
  if (key == "general.alignment") wanted = &align;
  if (wanted == nullptr || size_of(type) == 0) return skip_value(in, type);
  const std::optional<std::int64_t> value = integer(in, type);
  if (!value) return skip_value(in, type);
  *wanted = *value;
  if (align > 0) alignment = static_cast<std::uint64_t>(align);
  return !in.failed();
}

struct Tensor {
  std::uint64_t elements = 1;
  std::uint64_t bytes = 0;
  std::uint64_t offset = 0;
  std::string_view type;
};

Result<Tensor> read_tensor(Reader& in) {
  const std::string name = in.string(kMaxKeyBytes);
  const auto dimensions = in.number<std::uint32_t>();
  if (in.failed() || dimensions > kMaxDimensions) return corrupt("a damaged tensor table");
  Tensor tensor;
  constexpr std::uint64_t kMaxElements = std::uint64_t{1} << 48;
  for (std::uint32_t i = 0; i < dimensions; ++i) {
    const auto size = in.number<std::uint64_t>();
    if (size == 0 || size > kMaxElements / tensor.elements) return corrupt("a damaged tensor table");
    tensor.elements *= size;
  }
  const auto type = in.number<std::uint32_t>();
  tensor.offset = in.number<std::uint64_t>();
  if (in.failed()) return corrupt("a damaged tensor table");
  const auto known = tensor_types().find(type);
  if (known == tensor_types().end()) {
    return fail(ErrorCode::kUnsupported, fmt::format("tensor '{}' is of an unknown type {}", name, type),
                "this model needs a newer minimill");
  }
  tensor.type = known->second.name;
  tensor.bytes = (tensor.elements + known->second.block - 1) / known->second.block * known->second.bytes;
  return tensor;
}

std::string megabytes(std::uint64_t bytes) {
  constexpr double kMegabyte = 1e6;
  return fmt::format("{:.1f} MB", static_cast<double>(bytes) / kMegabyte);
}

Result<GgufInfo> read_head(Reader& in, std::uint64_t file_bytes) {
  GgufInfo info;
  info.file_bytes = file_bytes;
  info.version = in.number<std::uint32_t>();
  const auto tensors = in.number<std::uint64_t>();
  const auto entries = in.number<std::uint64_t>();
  if (in.failed()) return corrupt(fmt::format("truncated: only {} bytes", file_bytes));
  if (info.version < 2 || info.version > 3) {
    return corrupt(fmt::format("GGUF version {}; versions 2 and 3 are known", info.version));
  }
  if (tensors > kMaxTensors || entries > kMaxEntries) return corrupt("a damaged GGUF head");
  std::uint64_t alignment = kDefaultAlignment;
  for (std::uint64_t i = 0; i < entries; ++i) {
    if (!read_entry(in, info, alignment)) return corrupt("truncated or damaged: its metadata does not end");
  }
  std::map<std::string_view, std::uint64_t> bytes_by_type;
  std::uint64_t data_bytes = 0;
  for (std::uint64_t i = 0; i < tensors; ++i) {
    Result<Tensor> tensor = read_tensor(in);
    if (!tensor) return std::unexpected(std::move(tensor.error()));
    info.parameters += tensor->elements;
    bytes_by_type[tensor->type] += tensor->bytes;
    if (tensor->offset > std::numeric_limits<std::uint64_t>::max() / 2) return corrupt("a damaged tensor table");
    data_bytes = std::max(data_bytes, tensor->offset + tensor->bytes);
  }
  info.tensors = tensors;
  std::uint64_t most = 0;
  for (const auto& [type, bytes] : bytes_by_type) {
    if (bytes <= most) continue;
    most = bytes;
    info.quantization = type;
  }
  const std::uint64_t head = file_bytes - in.left();
  const std::uint64_t data_begins = (head + alignment - 1) / alignment * alignment;
  if (data_begins + data_bytes > file_bytes) {
    return corrupt(fmt::format("truncated: {} of {}", megabytes(file_bytes), megabytes(data_begins + data_bytes)));
  }
  return info;
}

}  // namespace

Result<GgufInfo> read_gguf(const std::filesystem::path& path) {
  static_assert(std::endian::native == std::endian::little, "GGUF is read as it lies on disk");
  std::error_code ec;
  const std::uintmax_t size = std::filesystem::file_size(path, ec);
  std::ifstream in(path, std::ios::binary);
  if (ec || !in) return fail(ErrorCode::kNotFound, fmt::format("cannot open {}", path.string()));
  std::array<char, 16> magic{};
  in.read(magic.data(), 4);
  if (std::string_view(magic.data(), 4) != "GGUF") {
    in.clear();
    in.seekg(0);
    in.read(magic.data(), magic.size());
    std::string begins(magic.data(), static_cast<std::size_t>(in.gcount()));
    for (char& c : begins) c = c >= ' ' && c < '\x7f' ? c : '?';
    return fail(ErrorCode::kCorrupt, fmt::format("{} is not a GGUF: it begins with '{}'", path.string(), begins),
                "give a model in llama.cpp's GGUF format");
  }
  Reader reader(in, size - 4);
  Result<GgufInfo> info = read_head(reader, size);
  if (!info) return std::unexpected(std::move(info.error()).context(path.string()));
  return info;
}

}  // namespace minimill::models
