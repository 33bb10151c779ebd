#include "sqlite/writer.h"

#include <algorithm>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "base/log.h"
#include "sqlite/sqlite_error.h"

namespace minimill::sqlite {
namespace {

constexpr const char* kOutOfRoom = "the writer's queue is full";

/// What nobody waits for is gathered for so long, so that a busy daemon commits a hundred times a
/// second and not a thousand. The first job that is awaited takes with it what has gathered.
constexpr std::chrono::milliseconds kGather{5};

/// A job and whom to tell. `done` runs on the writer's thread.
struct Entry {
  Writer::Job job;
  std::move_only_function<void(Result<>)> done;
  bool awaited = false;  // somebody waits until it is durable
};

Result<> run_cached(Database& db, std::string_view sql) {
  Result<Statement*> statement = db.cached(sql);
  return statement ? (*statement)->run() : std::unexpected(statement.error());
}

Result<> run_in_savepoint(Database& db, Writer::Job& job) {
  if (Result<> opened = run_cached(db, "SAVEPOINT job"); !opened) return opened;
  Result<> result = job(db);
  if (!db.in_transaction()) {
    // With this job SQLite undid those before it, too: none of the batch has been written.
    return result ? fail(ErrorCode::kInternal, "a failure that undid the batch was not reported")
                  : result;
  }
  // The job's own error is the one to report.
  if (!result) (void)run_cached(db, "ROLLBACK TO job");
  Result<> released = run_cached(db, "RELEASE job");
  return result ? released : result;
}

}  // namespace

struct Writer::Impl {
  explicit Impl(Database database) : db(std::move(database)), thread([this] { loop(); }) {}

  bool push(Entry entry) {
    bool wake = false;
    {
      const std::lock_guard lock(mutex);
      if (queue.size() >= kMaxQueued) {
        ++dropped;
        return false;
      }
      hurried += entry.awaited ? 1 : 0;
      queue.push_back(std::move(entry));
      wake = queue.size() == 1 || ready();
    }
    if (wake) work.notify_one();
    return true;
  }

  /// Nothing is gained by waiting for more to commit with what is queued.
  bool ready() const { return closing || hurried > 0 || queue.size() >= kMaxBatch; }

  void loop() {
    std::unique_lock lock(mutex);
    while (true) {
      work.wait(lock, [this] { return closing || !queue.empty(); });
      if (queue.empty()) return;  // closing, and all done
      work.wait_for(lock, kGather, [this] { return ready(); });
      std::vector<Entry> batch;
      batch.reserve(std::min(queue.size(), kMaxBatch));
      while (!queue.empty() && batch.size() < kMaxBatch) {
        hurried -= queue.front().awaited ? 1 : 0;
        batch.push_back(std::move(queue.front()));
        queue.pop_front();
      }
      busy = true;
      lock.unlock();
      commit(batch);
      lock.lock();
      busy = false;
      idle.notify_all();
    }
  }

  void commit(std::vector<Entry>& batch) {
    std::vector<Result<>> results;
    Result<> committed = broken ? std::unexpected(*broken) : db.exec("BEGIN IMMEDIATE");
    if (committed) {
      for (Entry& entry : batch) {
        results.push_back(run_in_savepoint(db, entry.job));
        if (db.in_transaction()) continue;
        committed = results.back();
        break;
      }
      if (committed) committed = db.exec("COMMIT");
      if (!committed) abandon(committed.error());
    }
    for (std::size_t i = 0; i < batch.size(); ++i) {
      Result<> result = committed ? std::move(results[i]) : committed;
      batch[i].done(std::move(result));
    }
    if (broken) return;
    if (Result<> done = db.checkpoint_if_due(); !done) distrust(done.error());
  }

  void abandon(const Error& error) {
    if (db.in_transaction()) (void)db.exec("ROLLBACK");
    distrust(error);
  }

  /// Refuses rather than guesses what is on disk.
  void distrust(const Error& error) {
    if (is_undone_cleanly(error)) return;
    broken = Error(error).context("an earlier write failed, nothing more is written");
    broken->hint = "check the disk, then restart minimill";
    db.keep_log();
    log::error("{}", broken->to_string());
  }

  Database db;
  std::optional<Error> broken;  // writer's thread only

  std::mutex mutex;  // guards what follows
  std::condition_variable work;
  std::condition_variable idle;
  std::deque<Entry> queue;
  std::size_t hurried = 0;  // of the queue, those awaited; and everybody in flush()
  bool busy = false;
  bool closing = false;
  std::uint64_t dropped = 0;

  std::thread thread;  // last: starts when all else is there
};

Writer::Writer(Database db) {
  db.defer_checkpoints();
  impl_ = std::make_unique<Impl>(std::move(db));
}

Writer::~Writer() {
  {
    const std::lock_guard lock(impl_->mutex);
    impl_->closing = true;
  }
  impl_->work.notify_one();
  impl_->thread.join();
}

asio::awaitable<Result<>> Writer::run(Job job) {
  auto result = std::make_shared<Result<>>();
  auto home = co_await asio::this_coro::executor;
  auto initiate = [this, result, home, job = std::move(job)](auto handler) mutable {
    // Keeps the loop running until the writer's thread has answered.
    auto keep_alive = asio::prefer(home, asio::execution::outstanding_work.tracked);
    auto shared = std::make_shared<decltype(handler)>(std::move(handler));
    auto done = [result, keep_alive, shared](Result<> outcome) {
      *result = std::move(outcome);
      asio::post(keep_alive, [shared] { std::move (*shared)(); });
    };
    Entry entry{std::move(job), done, true};
    if (!impl_->push(std::move(entry))) done(fail(ErrorCode::kUnavailable, kOutOfRoom));
  };
  co_await asio::async_initiate<const asio::use_awaitable_t<>, void()>(std::move(initiate),
                                                                       asio::use_awaitable);
  co_return std::move(*result);
}

bool Writer::post(Job job) {
  auto done = [](Result<> outcome) {
    if (!outcome) log::error("not written: {}", outcome.error().to_string());
  };
  return impl_->push({std::move(job), done, false});
}

void Writer::flush() {
  std::unique_lock lock(impl_->mutex);
  ++impl_->hurried;
  impl_->work.notify_one();
  impl_->idle.wait(lock, [this] { return impl_->queue.empty() && !impl_->busy; });
  --impl_->hurried;
}

std::uint64_t Writer::dropped() const {
  const std::lock_guard lock(impl_->mutex);
  return impl_->dropped;
}

}  // namespace minimill::sqlite
