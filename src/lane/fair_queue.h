#pragma once

// A queue that several apps share fairly: the app that has had the least service goes next, and of
// its tickets the one with the smallest key.
//
// Start-time fair queueing (Goyal, Vin and Cheng, SIGCOMM 1996): each app has a virtual time, which
// every start of its own moves on by the predicted seconds of service; an app that comes back
// begins at the queue's own virtual time, so that nobody saves up turns by staying away.
//
// Every operation is O(log n).

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>

namespace minimill::lane {

using TicketId = std::uint64_t;

class FairQueue {
 public:
  struct Entry {
    TicketId ticket = 0;
    double key = 0;  // smaller goes first
    double service_s = 0;
  };

  void push(std::string_view app, const Entry& entry);
  /// Leaves without having been served.
  void erase(std::string_view app, const Entry& entry);
  /// Is served: its app is charged what it is predicted to take.
  void serve(std::string_view app, const Entry& entry);
  /// It took so much more than predicted, or less. Forgotten where the app has left meanwhile.
  void correct(std::string_view app, double seconds);

  struct Front {
    TicketId ticket = 0;
    double key = 0;
  };
  std::optional<Front> front() const;

  std::size_t size() const { return size_; }
  /// Predicted seconds of service that wait.
  double work_s() const { return size_ == 0 ? 0 : work_s_; }

 private:
  struct App {
    double virtual_s = 0;
    std::uint64_t number = 0;  // ties go to who came first
    std::set<std::pair<double, TicketId>> waiting;
  };
  struct Turn {
    double virtual_s;
    std::uint64_t number;
    App* app;
    bool operator<(const Turn& other) const {
      return virtual_s != other.virtual_s ? virtual_s < other.virtual_s : number < other.number;
    }
  };
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const {
      return std::hash<std::string_view>()(text);
    }
  };
  using Apps = std::unordered_map<std::string, App, Hash, std::equal_to<>>;

  static Turn turn_of(App& app) { return {app.virtual_s, app.number, &app}; }
  Apps::iterator remove(std::string_view app, const Entry& entry);

  Apps apps_;  // those with somebody waiting, and those a little ahead of the rest
  std::set<Turn> turns_;
  double virtual_s_ = 0;
  std::uint64_t next_number_ = 0;
  std::size_t size_ = 0;
  double work_s_ = 0;
};

}  // namespace minimill::lane
