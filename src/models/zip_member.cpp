#include "models/zip_member.h"

#include <algorithm>
#include <array>
#include <utility>

namespace minimill::models {
namespace {

constexpr std::size_t kLocalHeaderBytes = 30;
constexpr std::uint32_t kLocalSignature = 0x04034b50;
constexpr std::uint32_t kCentralSignature = 0x02014b50;
constexpr std::uint16_t kStoredMethod = 0;
constexpr std::uint16_t kDeflatedMethod = 8;
constexpr std::uint16_t kSizesFollow = 1 << 3;  // general purpose flag bit 3
constexpr std::uint16_t kEncrypted = 1;
constexpr std::uint16_t kZip64 = 0x0001;  // extra field id
constexpr std::uint32_t kInZip64 = 0xffffffff;
constexpr std::size_t kOutBytes = 64 << 10;

template <class Number>
Number number_at(std::string_view bytes, std::size_t at) {
  Number value = 0;
  for (std::size_t i = 0; i < sizeof value; ++i) {
    value |= static_cast<Number>(static_cast<Number>(static_cast<unsigned char>(bytes[at + i]))
                                 << (8 * i));
  }
  return value;
}

std::unexpected<Error> corrupt(std::string what) {
  return fail(ErrorCode::kCorrupt, "the archive is damaged: " + std::move(what));
}

}  // namespace

ZipMember::ZipMember(std::string file_name, Sink sink)
    : file_name_(std::move(file_name)), sink_(std::move(sink)), wanted_(kLocalHeaderBytes) {}

ZipMember::~ZipMember() {
  if (inflater_) inflateEnd(inflater_.get());
}

Result<> ZipMember::feed(std::string_view bytes) {
  while (!bytes.empty()) {
    Result<> step;
    switch (state_) {
      case State::kDone:
      case State::kEnd:
        return {};
      case State::kHeader:
      case State::kNames: {
        const std::size_t take = std::min(bytes.size(), wanted_ - pending_.size());
        pending_ += bytes.substr(0, take);
        bytes.remove_prefix(take);
        if (pending_.size() < wanted_) return {};
        step = state_ == State::kHeader ? take_header() : take_names();
        break;
      }
      default: {
        const auto take =
            static_cast<std::size_t>(std::min<std::uint64_t>(bytes.size(), compressed_left_));
        const std::string_view part = bytes.substr(0, take);
        bytes.remove_prefix(take);
        compressed_left_ -= take;
        if (state_ == State::kStored) step = deliver(part);
        if (state_ == State::kDeflated) step = inflate(part);
        if (step && compressed_left_ == 0) step = finish_member();
      }
    }
    if (!step) return step;
  }
  return {};
}

Result<> ZipMember::take_header() {
  const auto signature = number_at<std::uint32_t>(pending_, 0);
  if (signature == kCentralSignature) {
    state_ = State::kEnd;  // the directory: all members have gone by
    return {};
  }
  if (signature != kLocalSignature) return corrupt("no member where one should begin");
  const auto flags = number_at<std::uint16_t>(pending_, 6);
  method_ = number_at<std::uint16_t>(pending_, 8);
  crc_expected_ = number_at<std::uint32_t>(pending_, 14);
  compressed_left_ = number_at<std::uint32_t>(pending_, 18);
  size_ = number_at<std::uint32_t>(pending_, 22);
  name_bytes_ = number_at<std::uint16_t>(pending_, 26);
  const std::size_t extra_bytes = number_at<std::uint16_t>(pending_, 28);
  if ((flags & (kSizesFollow | kEncrypted)) != 0) {
    return fail(ErrorCode::kUnsupported,
                "the archive has encrypted members, or such without their sizes");
  }
  pending_.clear();
  wanted_ = name_bytes_ + extra_bytes;
  if (wanted_ == 0) return corrupt("a member without a name");
  state_ = State::kNames;
  return {};
}

Result<> ZipMember::take_names() {
  const std::string name = pending_.substr(0, name_bytes_);
  std::string_view extra = std::string_view(pending_).substr(name_bytes_);
  while (extra.size() >= 4) {
    const auto id = number_at<std::uint16_t>(extra, 0);
    const std::size_t size = number_at<std::uint16_t>(extra, 2);
    if (extra.size() < 4 + size) break;
    if (id == kZip64 && size >= 16 && size_ == kInZip64) {
      size_ = number_at<std::uint64_t>(extra, 4);
      compressed_left_ = number_at<std::uint64_t>(extra, 12);
    }
    extra.remove_prefix(4 + size);
  }
  pending_.clear();
  state_ = State::kSkip;
  if (name == file_name_ || name.ends_with("/" + file_name_)) {
    delivered_ = 0;
    crc_ = 0;
    if (method_ == kStoredMethod) {
      state_ = State::kStored;
    } else if (method_ == kDeflatedMethod) {
      inflater_ = std::make_unique<z_stream>();
      if (inflateInit2(inflater_.get(), -MAX_WBITS) != Z_OK) return corrupt("cannot be inflated");
      state_ = State::kDeflated;
    } else {
      return corrupt("an unknown compression");
    }
  }
  return compressed_left_ == 0 ? finish_member() : Result<>{};
}

Result<> ZipMember::inflate(std::string_view bytes) {
  std::array<char, kOutBytes> out;
  inflater_->next_in =
      reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));  // zlib does not write to it
  inflater_->avail_in = static_cast<uInt>(bytes.size());
  while (true) {
    inflater_->next_out = reinterpret_cast<Bytef*>(out.data());
    inflater_->avail_out = static_cast<uInt>(out.size());
    const int rc = ::inflate(inflater_.get(), Z_NO_FLUSH);
    if (rc != Z_OK && rc != Z_STREAM_END && rc != Z_BUF_ERROR)
      return corrupt("its data cannot be inflated");
    const std::size_t made = out.size() - inflater_->avail_out;
    if (Result<> delivered = deliver({out.data(), made}); !delivered) return delivered;
    if (rc == Z_STREAM_END && (inflater_->avail_in > 0 || compressed_left_ > 0)) {
      return corrupt("something follows a member's data");
    }
    if (rc == Z_STREAM_END || made == 0) return {};
  }
}

Result<> ZipMember::deliver(std::string_view bytes) {
  if (bytes.empty()) return {};
  delivered_ += bytes.size();
  if (delivered_ > size_) return corrupt("more data than it declares");
  crc_ = static_cast<std::uint32_t>(
      crc32(crc_, reinterpret_cast<const Bytef*>(bytes.data()), static_cast<uInt>(bytes.size())));
  return sink_(bytes);
}

Result<> ZipMember::finish_member() {
  const bool wanted = state_ != State::kSkip;
  wanted_ = kLocalHeaderBytes;
  state_ = State::kHeader;
  if (!wanted) return {};
  if (delivered_ != size_ || crc_ != crc_expected_) return corrupt("a member's checksum is wrong");
  state_ = State::kDone;
  return {};
}

}  // namespace minimill::models
