#pragma once

// The one writer: a thread that owns the only read-write connection, takes jobs from a bounded
// queue and commits them in batches, so that one fsync serves many jobs (synchronous=FULL).
//
//   Result<> saved = co_await writer.run([&](Database& db) -> Result<> { … });   // durable when it
//   returns writer.post([row](Database& db) -> Result<> { … });                          // soon;
//   failures are logged
//
// Each job runs in its own savepoint: one that fails is undone alone and reports its error. If the
// commit fails, every job of the batch reports that. After a failure that leaves unknown what is on
// disk (an I/O error in a commit or a checkpoint, a corrupt file: is_undone_cleanly()) the writer
// refuses all further jobs. A full disk is undone cleanly and later jobs are tried.
//
// The log is checkpointed here, after those whose commit made that due have been answered.

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <functional>
#include <memory>

#include "base/error.h"
#include "sqlite/database.h"

namespace minimill::sqlite {

namespace asio = boost::asio;

class Writer {
 public:
  using Job = std::move_only_function<Result<>(Database&)>;

  static constexpr std::size_t kMaxQueued = 65'536;
  static constexpr std::size_t kMaxBatch = 256;

  explicit Writer(Database db);
  /// Finishes what is queued.
  ~Writer();
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;

  /// Resumes on the awaiting coroutine's executor once the job is committed, or failed. Not
  /// cancellable: an acknowledged write is never half known. kUnavailable when the queue is full.
  asio::awaitable<Result<>> run(Job job);

  /// Without waiting, from any thread. False when the queue is full (counted in dropped()).
  bool post(Job job);

  /// Blocks until everything queued before is committed. For start-up, shutdown and tests.
  void flush();

  std::uint64_t dropped() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace minimill::sqlite
