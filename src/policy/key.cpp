#include "policy/key.h"

#include <openssl/crypto.h>
#include <openssl/rand.h>

#include <array>
#include <cstdint>

#include "base/sha256.h"

namespace minimill::policy {
namespace {

constexpr std::size_t kKeyBytes = 32;
constexpr std::string_view kUrlSafe =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

}  // namespace

Result<std::string> make_key() {
  std::array<unsigned char, kKeyBytes> bytes{};
  if (RAND_bytes(bytes.data(), static_cast<int>(bytes.size())) != 1) {
    return fail(ErrorCode::kInternal, "the system gives no random bytes");
  }
  constexpr unsigned kDigitBits = 6;
  constexpr unsigned kDigitMask = 63;
  std::string key = "mm-";
  std::uint32_t held = 0;
  unsigned bits = 0;
  for (const unsigned char byte : bytes) {
    held = (held << 8U) | byte;
    for (bits += 8; bits >= kDigitBits; bits -= kDigitBits) {
      key += kUrlSafe[(held >> (bits - kDigitBits)) & kDigitMask];
    }
  }
  if (bits > 0) key += kUrlSafe[(held << (kDigitBits - bits)) & kDigitMask];
  OPENSSL_cleanse(bytes.data(), bytes.size());
  return key;
}

std::string hash_of(std::string_view key) { return sha256_hex(key); }

bool same_hash(std::string_view a, std::string_view b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

}  // namespace minimill::policy
