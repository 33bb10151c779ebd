#include "support/faulty_vfs.h"

#include <sqlite3.h>

#include <stdexcept>

namespace minimill::test {
namespace {

using Fault = FaultyVfs::Fault;

/// What SQLite holds of an open file; the real one lies right behind it.
struct Shim : sqlite3_file {
  const FaultyVfs* disk;
  FaultyVfs::File kind;
  bool is_watched;  // journals of statements and other temporary files are not

  sqlite3_file* real() { return reinterpret_cast<sqlite3_file*>(this + 1); }
  Fault fault() const { return is_watched ? disk->fault(kind) : Fault::kNone; }
};

Shim& shim(sqlite3_file* file) { return *static_cast<Shim*>(file); }

/// A method that is only passed on: its own arguments are all there is to it.
template <auto kMethod, class... Args>
auto pass(sqlite3_file* file, Args... args) {
  sqlite3_file* real = shim(file).real();
  return (real->pMethods->*kMethod)(real, args...);
}

int write(sqlite3_file* file, const void* bytes, int size, sqlite3_int64 offset) {
  sqlite3_file* real = shim(file).real();
  switch (shim(file).fault()) {
    case Fault::kNoSpace:
      return SQLITE_FULL;
    case Fault::kShortWrite:
      (void)real->pMethods->xWrite(real, bytes, size / 2, offset);
      return SQLITE_IOERR_WRITE;
    default:
      return real->pMethods->xWrite(real, bytes, size, offset);
  }
}

int sync(sqlite3_file* file, int flags) {
  if (shim(file).fault() == Fault::kSync) return SQLITE_IOERR_FSYNC;
  return pass<&sqlite3_io_methods::xSync>(file, flags);
}

using M = sqlite3_io_methods;
constexpr M kMethods{
    .iVersion = 2,  // with shared memory, which the log needs; without memory-mapped reads
    .xClose = pass<&M::xClose>,
    .xRead = pass<&M::xRead, void*, int, sqlite3_int64>,
    .xWrite = write,
    .xTruncate = pass<&M::xTruncate, sqlite3_int64>,
    .xSync = sync,
    .xFileSize = pass<&M::xFileSize, sqlite3_int64*>,
    .xLock = pass<&M::xLock, int>,
    .xUnlock = pass<&M::xUnlock, int>,
    .xCheckReservedLock = pass<&M::xCheckReservedLock, int*>,
    .xFileControl = pass<&M::xFileControl, int, void*>,
    .xSectorSize = pass<&M::xSectorSize>,
    .xDeviceCharacteristics = pass<&M::xDeviceCharacteristics>,
    .xShmMap = pass<&M::xShmMap, int, int, int, void volatile**>,
    .xShmLock = pass<&M::xShmLock, int, int, int>,
    .xShmBarrier = pass<&M::xShmBarrier>,
    .xShmUnmap = pass<&M::xShmUnmap, int>,
    .xFetch = nullptr,
    .xUnfetch = nullptr,
};

}  // namespace

/// The VFS as SQLite sees it: a copy of the real one but for its name, its files and their size.
struct FaultyVfs::Registration : sqlite3_vfs {
  const FaultyVfs* disk;
  sqlite3_vfs* real;

  static int open(sqlite3_vfs* vfs, const char* name, sqlite3_file* file, int flags, int* out) {
    const auto& self = *static_cast<Registration*>(vfs);
    Shim& opened = shim(file);
    opened.disk = self.disk;
    opened.kind = (flags & SQLITE_OPEN_WAL) != 0 ? File::kLog : File::kDatabase;
    opened.is_watched = (flags & (SQLITE_OPEN_WAL | SQLITE_OPEN_MAIN_DB)) != 0;
    const int rc = self.real->xOpen(self.real, name, opened.real(), flags, out);
    // Without methods SQLite does not close it.
    opened.pMethods = opened.real()->pMethods == nullptr ? nullptr : &kMethods;
    return rc;
  }
};

FaultyVfs::FaultyVfs() : registration_(std::make_unique<Registration>()) {
  sqlite3_vfs* real = sqlite3_vfs_find(nullptr);
  static_cast<sqlite3_vfs&>(*registration_) = *real;
  registration_->disk = this;
  registration_->real = real;
  registration_->zName = "faulty";
  registration_->szOsFile = static_cast<int>(sizeof(Shim)) + real->szOsFile;
  registration_->xOpen = Registration::open;
  if (sqlite3_vfs_register(registration_.get(), 1) != SQLITE_OK) {
    throw std::runtime_error("the faulty VFS cannot be registered");
  }
}

FaultyVfs::~FaultyVfs() {
  sqlite3_vfs_unregister(registration_.get());
  sqlite3_vfs_register(registration_->real, 1);
}

}  // namespace minimill::test
