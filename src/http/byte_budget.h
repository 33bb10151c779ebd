#pragma once

// How many bytes of requests all connections of a server hold together, and how many one peer's.
//
//   ByteBudget budget(total, per_peer);
//   ByteBudget::Share share(budget, "127.0.0.1");
//   if (!share.hold(received)) …                   // 503: somebody else's turn
//
// Each request is bounded by itself; without this the sum would be that times the connections. What
// is small is not counted, so that whoever fills the budget with half-sent bodies keeps nobody from
// asking a question. Event-loop thread only.

#include <cstddef>
#include <map>
#include <string>
#include <string_view>

namespace minimill::http {

class ByteBudget {
 public:
  /// Of each request so many are free.
  static constexpr std::size_t kFree = 16 << 10;

  ByteBudget(std::size_t total, std::size_t per_peer) : total_(total), per_peer_(per_peer) {}
  ByteBudget(const ByteBudget&) = delete;
  ByteBudget& operator=(const ByteBudget&) = delete;

  std::size_t used() const { return used_; }

  /// What one connection holds; given back when it is destroyed.
  class Share {
   public:
    /// `peer`: whose connections count together.
    Share(ByteBudget& budget, std::string_view peer) : budget_(budget), peer_(peer) {}
    ~Share() { release(); }
    Share(const Share&) = delete;
    Share& operator=(const Share&) = delete;

    /// False, and nothing changes, where all or this peer's would be too many with `bytes` here.
    [[nodiscard]] bool hold(std::size_t bytes);
    /// The same whatever the others hold: for bytes that are there already.
    void hold_anyway(std::size_t bytes);
    void release() { hold_anyway(0); }

   private:
    ByteBudget& budget_;
    std::string peer_;
    std::size_t held_ = 0;
  };

 private:
  std::size_t total_;
  std::size_t per_peer_;
  std::size_t used_ = 0;
  std::map<std::string, std::size_t, std::less<>> by_peer_;
};

}  // namespace minimill::http
