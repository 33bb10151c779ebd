#pragma once

// A disk that fails when told to, under SQLite: while one lives it is the default VFS, passes every
// call on to the one before it, and breaks those asked for. Open databases after it and close them
// before it.
//
//   FaultyVfs disk;
//   Database db = Database::open(path, Mode::kReadWrite).value();
//   disk.breaks(FaultyVfs::File::kLog, FaultyVfs::Fault::kSync);
//
// One at a time; its switches may be set from any thread.

#include <array>
#include <atomic>
#include <memory>

namespace minimill::test {

class FaultyVfs {
 public:
  enum class File { kDatabase, kLog };
  enum class Fault {
    kNone,
    kSync,        // a sync fails, whatever has reached the disk
    kNoSpace,     // a write finds no room, and writes nothing
    kShortWrite,  // half of a write is on disk when it fails
  };

  FaultyVfs();
  ~FaultyVfs();
  FaultyVfs(const FaultyVfs&) = delete;
  FaultyVfs& operator=(const FaultyVfs&) = delete;

  /// From now on, until told otherwise.
  void breaks(File file, Fault fault) { faults_[static_cast<std::size_t>(file)] = fault; }
  Fault fault(File file) const { return faults_[static_cast<std::size_t>(file)]; }

 private:
  struct Registration;
  std::array<std::atomic<Fault>, 2> faults_{};
  std::unique_ptr<Registration> registration_;
};

}  // namespace minimill::test
