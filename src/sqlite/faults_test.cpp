// What the writer promises when the disk fails under it.

#include <gtest/gtest.h>
#include <sqlite3.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include "sqlite/sqlite_error.h"
#include "sqlite/writer.h"
#include "support/faulty_vfs.h"
#include "support/temp_dir.h"

namespace minimill::sqlite {
namespace {

using test::FaultyVfs;
using File = FaultyVfs::File;
using Fault = FaultyVfs::Fault;

Writer::Job insert(int number) {
  return [number](Database& db) -> Result<> {
    Result<Statement*> row = db.cached("INSERT INTO t VALUES(?1)");
    if (!row) return std::unexpected(std::move(row.error()));
    return (*row)->bind(1, number).run();
  };
}

/// A table `t` on a disk that can be broken, and the writer of it.
class WriterOnFaultyDisk : public testing::Test {
 protected:
  WriterOnFaultyDisk() {
    Database db = Database::open(path(), Database::Mode::kReadWrite).value();
    EXPECT_TRUE(db.exec("CREATE TABLE t(x)").has_value());
    writer_.emplace(std::move(db));
  }

  std::filesystem::path path() const { return folder_ / "w.db"; }

  Result<> run(Writer::Job job) {
    asio::io_context io;
    Result<> result;
    asio::co_spawn(io, writer_->run(std::move(job)),
                   [&](std::exception_ptr, Result<> done) { result = std::move(done); });
    io.run();
    return result;
  }

  /// What the next daemon finds.
  std::vector<std::int64_t> reopened() {
    writer_.reset();
    Database db = Database::open(path(), Database::Mode::kReadWrite).value();
    Statement check = db.prepare("PRAGMA integrity_check").value();
    EXPECT_TRUE(check.step().value());
    EXPECT_EQ(check.text(0), "ok");
    Statement rows = db.prepare("SELECT x FROM t ORDER BY rowid").value();
    std::vector<std::int64_t> found;
    while (rows.step().value()) found.push_back(rows.integer(0));
    return found;
  }

  const test::TempDir folder_;
  FaultyVfs disk_;
  std::optional<Writer> writer_;
};

TEST_F(WriterOnFaultyDisk, NothingIsAcknowledgedOnceASyncHasFailed) {
  ASSERT_TRUE(run(insert(1)).has_value());

  disk_.breaks(File::kLog, Fault::kSync);
  const Result<> failed = run(insert(2));
  disk_.breaks(File::kLog, Fault::kNone);  // a second sync would succeed, and prove nothing
  const Result<> after = run(insert(3));

  ASSERT_FALSE(failed.has_value());
  EXPECT_EQ(failed.error().native_code, SQLITE_IOERR_FSYNC);
  ASSERT_FALSE(after.has_value());
  EXPECT_NE(after.error().message.find("nothing more is written"), std::string::npos);
  EXPECT_NE(after.error().hint.find("restart minimill"), std::string::npos);
  const std::vector<std::int64_t> found = reopened();
  EXPECT_EQ(found.front(), 1);
  EXPECT_NE(found.back(), 3);
}

TEST_F(WriterOnFaultyDisk, FailureIsJudgedByItsCodeWhateverItsWordsAre) {
  // The words of a job's error are its own; "full" in them says nothing of the disk.
  Writer::Job job = [](Database& db) -> Result<> {
    Result<> done = db.exec("INSERT INTO t VALUES(zeroblob(40000000))");  // over the page cache
    if (!done) return std::unexpected(std::move(done.error()).context("storing the full report"));
    return done;
  };

  disk_.breaks(File::kLog, Fault::kShortWrite);
  const Result<> failed = run(std::move(job));
  disk_.breaks(File::kLog, Fault::kNone);
  const Result<> after = run(insert(1));

  ASSERT_FALSE(failed.has_value());
  EXPECT_NE(failed.error().message.find("full"), std::string::npos);
  EXPECT_FALSE(after.has_value());
}

TEST_F(WriterOnFaultyDisk, DiskWithoutRoomIsReportedAndTriedAgain) {
  ASSERT_TRUE(run(insert(1)).has_value());

  disk_.breaks(File::kLog, Fault::kNoSpace);
  const Result<> full = run(insert(2));
  disk_.breaks(File::kLog, Fault::kNone);
  const Result<> later = run(insert(3));

  ASSERT_FALSE(full.has_value());
  EXPECT_EQ(full.error().native_code, SQLITE_FULL);
  EXPECT_NE(full.error().hint.find("free some space"), std::string::npos);
  EXPECT_TRUE(later.has_value());
  EXPECT_EQ(reopened(), (std::vector<std::int64_t>{1, 3}));
}

TEST_F(WriterOnFaultyDisk, HalfAWriteIsNeitherAcknowledgedNorFoundAgain) {
  ASSERT_TRUE(run(insert(1)).has_value());

  disk_.breaks(File::kLog, Fault::kShortWrite);
  const Result<> failed = run(insert(2));
  disk_.breaks(File::kLog, Fault::kNone);
  const Result<> after = run(insert(3));

  ASSERT_FALSE(failed.has_value());
  EXPECT_EQ(failed.error().native_code, SQLITE_IOERR_WRITE);
  EXPECT_FALSE(after.has_value());
  EXPECT_EQ(reopened(), std::vector<std::int64_t>{1});
}

TEST_F(WriterOnFaultyDisk, WholeBatchFailsWithTheCommit) {
  disk_.breaks(File::kLog, Fault::kSync);
  asio::io_context io;
  int failed = 0;
  for (int i = 0; i < 100; ++i) {
    asio::co_spawn(io, writer_->run(insert(i)),
                   [&](std::exception_ptr, const Result<>& done) { failed += done ? 0 : 1; });
  }

  io.run();

  EXPECT_EQ(failed, 100);
}

/// With pages this small a log of kLogPages is soon written.
void make_database_of_small_pages(const std::filesystem::path& path) {
  sqlite3* raw = nullptr;
  ASSERT_EQ(sqlite3_open(path.c_str(), &raw), SQLITE_OK);
  EXPECT_EQ(
      sqlite3_exec(raw, "PRAGMA page_size = 512; CREATE TABLE t(x)", nullptr, nullptr, nullptr),
      SQLITE_OK);
  sqlite3_close(raw);
}

TEST(WriterCheckpoint, FailedSyncOfTheDatabaseKeepsTheLogAndRefusesMore) {
  const test::TempDir folder;
  FaultyVfs disk;
  make_database_of_small_pages(folder / "w.db");
  std::optional<Writer> writer(std::in_place,
                               Database::open(folder / "w.db", Database::Mode::kReadWrite).value());
  const auto run = [&writer](Writer::Job job) {
    asio::io_context io;
    Result<> result;
    asio::co_spawn(io, writer->run(std::move(job)),
                   [&](std::exception_ptr, Result<> done) { result = std::move(done); });
    io.run();
    return result;
  };

  disk.breaks(File::kDatabase, Fault::kSync);
  const Result<> large =
      run([](Database& db) { return db.exec("INSERT INTO t VALUES(zeroblob(5000000))"); });
  writer->flush();
  disk.breaks(File::kDatabase, Fault::kNone);
  const Result<> after = run(insert(1));
  writer.reset();

  EXPECT_TRUE(large.has_value());  // it is in the log, and the log is synced
  ASSERT_FALSE(after.has_value());
  EXPECT_EQ(after.error().native_code, SQLITE_IOERR_FSYNC);
  EXPECT_GT(std::filesystem::file_size(folder / "w.db-wal"), 4'000'000U);
  EXPECT_LT(std::filesystem::file_size(folder / "w.db"), 5'200'000U);
  Database db = Database::open(folder / "w.db", Database::Mode::kReadOnly).value();
  Statement rows = db.prepare("SELECT length(x) FROM t").value();
  ASSERT_TRUE(rows.step().value());
  EXPECT_EQ(rows.integer(0), 5'000'000);
}

TEST(WriterCheckpoint, LogThatHasGrownIsBroughtIntoTheDatabase) {
  const test::TempDir folder;
  make_database_of_small_pages(folder / "w.db");
  Writer writer(Database::open(folder / "w.db", Database::Mode::kReadWrite).value());

  writer.post([](Database& db) { return db.exec("INSERT INTO t VALUES(zeroblob(5000000))"); });
  writer.flush();

  EXPECT_GT(std::filesystem::file_size(folder / "w.db"), 5'000'000U);
}

TEST(SqliteError, OnlyWhatSqliteSaysItHasUndoneIsKnownToBe) {
  const auto undone = [](int code) {
    Error error;
    error.native_code = code;
    return is_undone_cleanly(error);
  };

  EXPECT_TRUE(undone(SQLITE_FULL));
  EXPECT_TRUE(undone(SQLITE_BUSY_SNAPSHOT));
  EXPECT_TRUE(undone(SQLITE_IOERR_NOMEM));
  EXPECT_FALSE(undone(SQLITE_IOERR_FSYNC));
  EXPECT_FALSE(undone(SQLITE_IOERR_WRITE));
  EXPECT_FALSE(undone(SQLITE_CORRUPT_INDEX));
  EXPECT_FALSE(undone(0));  // not SQLite's, or nobody has passed it on
}

}  // namespace
}  // namespace minimill::sqlite
