#include "sqlite/writer.h"

#include <gtest/gtest.h>

#include <array>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include "sqlite/migrations.h"
#include "support/temp_dir.h"

namespace minimill::sqlite {
namespace {

Database open(const std::filesystem::path& path) {
  return Database::open(path, Database::Mode::kReadWrite).value();
}

std::int64_t count(const std::filesystem::path& path) {
  Database db = Database::open(path, Database::Mode::kReadOnly).value();
  Statement rows = db.prepare("SELECT count(*) FROM t").value();
  EXPECT_TRUE(rows.step().value());
  return rows.integer(0);
}

Result<> run(Writer& writer, Writer::Job job) {
  asio::io_context io;
  Result<> result;
  asio::co_spawn(io, writer.run(std::move(job)),
                 [&](std::exception_ptr, Result<> done) { result = std::move(done); });
  io.run();
  return result;
}

TEST(Writer, WhatRunAcknowledgesIsCommitted) {
  const test::TempDir folder;
  Writer writer(open(folder / "w.db"));
  ASSERT_TRUE(run(writer, [](Database& db) { return db.exec("CREATE TABLE t(x)"); }).has_value());

  ASSERT_TRUE(
      run(writer, [](Database& db) { return db.exec("INSERT INTO t VALUES(1)"); }).has_value());

  EXPECT_EQ(count(folder / "w.db"), 1);
}

TEST(Writer, FailedJobIsUndoneAlone) {
  const test::TempDir folder;
  Writer writer(open(folder / "w.db"));
  writer.post([](Database& db) { return db.exec("CREATE TABLE t(x)"); });
  writer.post([](Database& db) { return db.exec("INSERT INTO t VALUES(1)"); });
  const Result<> failed = run(writer, [](Database& db) -> Result<> {
    if (Result<> done = db.exec("INSERT INTO t VALUES(2)"); !done) return done;
    return fail(ErrorCode::kConflict, "no");
  });
  writer.post([](Database& db) { return db.exec("INSERT INTO t VALUES(3)"); });
  writer.flush();

  EXPECT_EQ(failed.error().message, "no");
  EXPECT_EQ(count(folder / "w.db"), 2);
}

TEST(Writer, DestructorFinishesWhatIsQueued) {
  const test::TempDir folder;
  {
    Writer writer(open(folder / "w.db"));
    writer.post([](Database& db) { return db.exec("CREATE TABLE t(x)"); });
    for (int i = 0; i < 1000; ++i)
      writer.post([](Database& db) { return db.exec("INSERT INTO t VALUES(1)"); });
  }
  EXPECT_EQ(count(folder / "w.db"), 1000);
}

TEST(Writer, FullDiskIsReportedAndLaterWritesFindRoom) {
  const test::TempDir folder;
  Database db = open(folder / "w.db");
  ASSERT_TRUE(db.exec("CREATE TABLE t(x); PRAGMA max_page_count = 20").has_value());
  Writer writer(std::move(db));

  const Result<> full = run(
      writer, [](Database& each) { return each.exec("INSERT INTO t VALUES(zeroblob(1000000))"); });
  const Result<> small =
      run(writer, [](Database& each) { return each.exec("INSERT INTO t VALUES(1)"); });

  ASSERT_FALSE(full.has_value());
  EXPECT_EQ(full.error().code, ErrorCode::kIo);
  EXPECT_NE(full.error().hint.find("free some space"), std::string::npos);
  EXPECT_TRUE(small.has_value());
}

TEST(Migrations, RunOnceAndInOrderAndRefuseTheFuture) {
  const test::TempDir folder;
  Database db = open(folder / "m.db");
  constexpr std::array<const char*, 1> kOld{"CREATE TABLE t(x)"};
  constexpr std::array<const char*, 2> kNew{"CREATE TABLE t(x)", "ALTER TABLE t ADD COLUMN y"};

  ASSERT_TRUE(migrate(db, "part", kOld).has_value());
  ASSERT_TRUE(migrate(db, "part", kNew).has_value());
  ASSERT_TRUE(migrate(db, "part", kNew).has_value());
  const Result<> back = migrate(db, "part", kOld);

  EXPECT_TRUE(db.exec("INSERT INTO t(x, y) VALUES(1, 2)").has_value());
  ASSERT_FALSE(back.has_value());
  EXPECT_EQ(back.error().code, ErrorCode::kConflict);
}

TEST(Database, FileThatIsNoDatabaseIsCorrupt) {
  const test::TempDir folder;
  {
    std::FILE* file = std::fopen((folder / "x.db").c_str(), "w");
    std::fputs(
        "this is no database, and it is long enough to be looked at as "
        "one.............................",
        file);
    std::fclose(file);
  }
  const Result<Database> db = Database::open(folder / "x.db", Database::Mode::kReadWrite);

  ASSERT_FALSE(db.has_value());
  EXPECT_EQ(db.error().code, ErrorCode::kCorrupt);
}

}  // namespace
}  // namespace minimill::sqlite
