#pragma once

// SQLite behind a small honest wrapper: connections and statements are resources with one owner,
// every failure is an Error with SQLite's own words.
//
//   Result<Database> db = Database::open(path, Database::Mode::kReadOnly);
//   Result<Statement> s = db->prepare("SELECT title FROM tasks WHERE id = ?1");
//   s->bind(1, id);
//   while (Result<bool> row = s->step(); row && *row) use(s->text(0));
//
// A Database and its Statements belong to one thread at a time.

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"

struct sqlite3;
struct sqlite3_stmt;

namespace minimill::sqlite {

class Statement {
 public:
  /// Parameters are numbered from 1. Text and blobs are copied.
  Statement& bind(int index, std::string_view text);
  Statement& bind(int index, std::int64_t number);
  Statement& bind(int index, int number) { return bind(index, std::int64_t{number}); }
  Statement& bind(int index, double number);
  Statement& bind(int index, bool value) { return bind(index, std::int64_t{value}); }
  Statement& bind(int index, std::nullptr_t);
  Statement& bind_blob(int index, std::string_view bytes);
  template <class T>
  Statement& bind(int index, const std::optional<T>& value) {
    return value ? bind(index, *value) : bind(index, nullptr);
  }

  /// True: a row is there to read. False: done. Resets itself when done or failed.
  Result<bool> step();
  /// Runs to the end, ignoring rows.
  Result<> run();
  /// Ready to be bound and stepped again.
  void reset();

  /// Columns are numbered from 0; views are valid until the next step() or reset().
  std::string_view text(int column) const;
  std::string_view blob(int column) const;
  std::int64_t integer(int column) const;
  double real(int column) const;
  bool is_null(int column) const;
  std::optional<std::string> optional_text(int column) const;
  std::optional<std::int64_t> optional_integer(int column) const;
  std::optional<double> optional_real(int column) const;

 private:
  friend class Database;
  struct Finalize {
    void operator()(sqlite3_stmt* statement) const;
  };
  explicit Statement(sqlite3_stmt* statement) : statement_(statement) {}
  std::unique_ptr<sqlite3_stmt, Finalize> statement_;
};

class Database {
 public:
  enum class Mode {
    kReadWrite,  // creates the file; WAL, synchronous=FULL, foreign keys on, incremental vacuum
    kReadOnly,
  };

  /// `path` ":memory:" for tests.
  static Result<Database> open(const std::filesystem::path& path, Mode mode);

  Result<Statement> prepare(std::string_view sql);
  /// The statement for `sql`, prepared once and kept, reset and unbound. `sql` is a literal: the
  /// cache is keyed by its text and never shrinks.
  Result<Statement*> cached(std::string_view sql);
  /// One or more statements without parameters.
  Result<> exec(const char* sql);
  std::int64_t changes() const;
  /// False, too, after an error for which SQLite undoes the whole transaction (a full disk, say).
  bool in_transaction() const;

  /// SQLite checkpoints its log within the commit that makes it long, and keeps a failure to
  /// itself. From now on it is for the owner to do.
  void defer_checkpoints();
  /// Does it, where the log has grown to kLogPages since.
  Result<> checkpoint_if_due();
  /// From now on nothing goes from the log into the database, not even when it is closed: what was
  /// acknowledged is in the log, and whoever opens the file next starts from there.
  void keep_log();

  /// 32 MB instead of SQLite's 4: whoever commits when it is due waits for a checkpoint.
  static constexpr int kLogPages = 8000;

 private:
  struct Close {
    void operator()(sqlite3* handle) const;
  };
  struct Cache;
  explicit Database(sqlite3* handle);
  std::unique_ptr<sqlite3, Close> handle_;  // outlives the statements: destroyed after them
  std::shared_ptr<Cache> cache_;
};

}  // namespace minimill::sqlite
