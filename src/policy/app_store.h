#pragma once

// The apps, the hashes of their keys, and the budgets, in a file of their own that only its owner
// may read.
//
//   Result<AppStore> store = AppStore::open(path);
//   Result<std::string> key = store->add_key(app);      // shown once
//   const App* app = store->find(key);
//
// The daemon and the command line each have it open: what one changes, the other finds at its next
// refresh(). Calls read and write a small file at once; not for every request.

#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "policy/app.h"
#include "policy/budget.h"
#include "sqlite/database.h"

namespace minimill::policy {

struct KeyInfo {
  std::string id;   // the key's first characters
  std::string app;  // whose it is
  WallTime made_at{};
};

class AppStore {
 public:
  static Result<AppStore> open(const std::filesystem::path& path);

  /// Makes the app, or changes it to this, and returns a new key for it.
  Result<std::string> add_key(const App& app, WallTime now);
  /// Makes the app, or changes it, without a key.
  Result<> set(const App& app);
  /// The app with its keys, or one key by its id. kNotFound.
  Result<> remove_app(std::string_view name);
  Result<> remove_key(std::string_view id);

  /// Makes the budget, or changes it.
  Result<> set(const Budget& budget);
  /// kNotFound.
  Result<> remove_budget(BudgetScope scope, std::string_view of);

  /// Reads the file again if somebody else has written to it.
  Result<> refresh();

  /// The app a key belongs to; nullptr where there is none. Compares with every key there is, in
  /// constant time each, so that its time says nothing of which one came close.
  const App* find(std::string_view key) const;
  const App* named(std::string_view name) const;
  bool has_keys() const { return !keys_.empty(); }
  /// Grows with every change that was read or made.
  std::uint64_t changes() const { return changes_; }
  std::vector<App> apps() const;
  std::vector<KeyInfo> keys() const;
  const std::vector<Budget>& budgets() const { return budgets_; }

 private:
  struct StoredKey {
    KeyInfo info;
    std::string hash;
  };

  explicit AppStore(sqlite::Database db) : db_(std::move(db)) {}
  Result<> load();
  Result<std::vector<Budget>> load_budgets();
  Result<std::int64_t> data_version();

  sqlite::Database db_;
  std::map<std::string, App, std::less<>> apps_;
  std::vector<StoredKey> keys_;
  std::vector<Budget> budgets_;
  std::int64_t version_ = 0;
  std::uint64_t changes_ = 0;
};

}  // namespace minimill::policy
