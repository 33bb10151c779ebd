#pragma once

// A client that does not know whether its submission arrived sends it again with the same key, and
// gets the first answer again (the Idempotency-Key header field, IETF draft
// draft-ietf-httpapi-idempotency-key-header). Key and answer are stored in the transaction that
// stores the tasks. Runs on the writer's thread.

#include <chrono>
#include <optional>
#include <string>

#include "base/clock.h"
#include "base/error.h"
#include "sqlite/database.h"

namespace minimill::tasks {

inline constexpr std::chrono::hours kKeyKept{24};
inline constexpr std::size_t kMaxKeyBytes = 255;

/// kInvalidArgument unless it is 1 to kMaxKeyBytes printable ASCII characters.
Result<> check_key(std::string_view key);

struct SubmissionAnswer {
  int status = 0;
  std::string body;

  bool operator==(const SubmissionAnswer&) const = default;
};

struct SubmissionKey {
  std::string app;          // whose key it is: two apps may use the same
  std::string key;          // as the client chose it
  std::string fingerprint;  // SHA-256 of what was submitted, and where to
  SubmissionAnswer answer;  // to give, now and again
};

/// The answer that was given under this key; nullopt where there was none within kKeyKept.
/// kConflict, with the field "Idempotency-Key", where something else was submitted under it.
Result<std::optional<SubmissionAnswer>> answered_before(sqlite::Database& db,
                                                        const SubmissionKey& key, WallTime now);
Result<> remember(sqlite::Database& db, const SubmissionKey& key, WallTime now);

}  // namespace minimill::tasks
