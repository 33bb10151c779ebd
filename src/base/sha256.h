#pragma once

// SHA-256 of a stream of bytes, by OpenSSL.

#include <memory>
#include <string>
#include <string_view>

struct evp_md_ctx_st;

namespace minimill {

class Sha256 {
 public:
  Sha256();

  void update(std::string_view bytes);
  /// 64 lower-case hexadecimal digits. Call once, last.
  std::string hex();

 private:
  struct Free {
    void operator()(evp_md_ctx_st* context) const;
  };
  std::unique_ptr<evp_md_ctx_st, Free> context_;
};

std::string sha256_hex(std::string_view bytes);

}  // namespace minimill
