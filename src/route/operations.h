#pragma once

// The operations there have been ("triage-this-mail"), and how each lane has fared with them.
//
// Outcomes are kept as decayed counts, of every local model alone and of the cloud; a model that
// has none yet is expected to do as the other local ones did. Where a run of local outcomes is
// worse than was foretold (a one-sided CUSUM, Page 1954), the operation's past is mostly forgotten
// and it is handled carefully until the device has proved itself again.

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/error.h"
#include "route/skill_classifier.h"

namespace minimill::route {

struct Record {
  double good = 0;  // decayed counts
  double bad = 0;
  double count() const { return good + bad; }
  void add(bool ok, double weight);
  void append_state(std::string& out) const;
  [[nodiscard]] bool take_state(std::string_view& bytes);
};

struct Operation {
  std::string slug;
  std::string title;  // as first seen
  std::int64_t seen = 0;
  std::int64_t last_seen = 0;    // in works seen, for eviction
  std::int64_t since_tried = 0;  // works seen since the local lane was last tried
  std::uint32_t trial = 0;       // fingerprint of the one work picked to try it again; 0: none
  Record local;                  // every local model's
  Record cloud;
  std::map<std::string, Record, std::less<>> by_model;
  double surprise = 0;  // CUSUM of foretold less true
  int to_prove = 0;     // good local answers in a row still wanted; 0: not careful
};

class Operations {
 public:
  static constexpr std::size_t kMaxOperations = SkillClassifier::kMaxOperations;

  const std::vector<Operation>& all() const { return operations_; }
  const Operation& at(OperationIndex index) const { return operations_[index]; }
  const OperationIndex* find(std::string_view slug) const;

  struct Place {
    OperationIndex index = 0;
    bool evicted = false;  // it took the number of the operation not seen for longest
  };
  Place add(std::string slug, std::string title);
  /// Another work of the operation; `fingerprint` tells it apart.
  void saw(OperationIndex index, std::uint32_t fingerprint);

  /// An outcome of the local lane that had been foretold as `p`. True where it made the operation
  /// careful.
  bool learn_local(OperationIndex index, std::string_view model, double p, bool ok, double weight);
  void learn_cloud(OperationIndex index, bool ok, double weight);
  /// The local model is another one, or has learnt: it is tried again sooner.
  void expect_change();

  /// What became of everything, whatever operation it was.
  const Record& local_base() const { return local_base_; }
  const Record& cloud_base() const { return cloud_base_; }

  void append_state(std::string& out) const;
  Result<> take_state(std::string_view& bytes);

 private:
  std::vector<Operation> operations_;
  std::unordered_map<std::string, OperationIndex> by_slug_;
  std::int64_t works_ = 0;
  Record local_base_;
  Record cloud_base_;
};

/// "Triage this customer mail #17" → "triage-this-customer-mail"; "" for a title without letters.
std::string operation_slug(std::string_view title);

}  // namespace minimill::route
