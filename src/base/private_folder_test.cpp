#include "base/private_folder.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>

#include "support/temp_dir.h"

namespace minimill {
namespace {

constexpr mode_t kAllBits = 07777;

mode_t mode_of(const std::filesystem::path& path) {
  struct stat found{};
  EXPECT_EQ(::lstat(path.c_str(), &found), 0) << path;
  return found.st_mode & kAllBits;
}

class PrivateFolder : public ::testing::Test {
 protected:
  void SetUp() override { before_ = ::umask(0); }
  void TearDown() override { ::umask(before_); }

  test::TempDir temp_;
  std::filesystem::path folder_ = temp_.path() / "a" / "b";
  mode_t before_ = 0;
};

TEST_F(PrivateFolder, IsMadeForItsOwnerAlone) {
  ASSERT_TRUE(make_private_folder(folder_).has_value());

  EXPECT_EQ(mode_of(folder_), 0700U);
}

TEST_F(PrivateFolder, OneThatIsOpenToOthersIsClosed) {
  std::filesystem::create_directories(folder_);
  ASSERT_EQ(::chmod(folder_.c_str(), 0755), 0);

  ASSERT_TRUE(make_private_folder(folder_).has_value());

  EXPECT_EQ(mode_of(folder_), 0700U);
}

TEST_F(PrivateFolder, OneOfAnotherUserIsRefused) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root can give a folder away";
  std::filesystem::create_directories(folder_);
  ASSERT_EQ(::chown(folder_.c_str(), 12'345, 12'345), 0);

  const Result<> refused = make_private_folder(folder_);

  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, ErrorCode::kForbidden);
  EXPECT_NE(refused.error().message.find("12345"), std::string::npos);
}

TEST_F(PrivateFolder, LinkOfAnotherUserIsRefusedWhereverItLeads) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root can give a link away";
  std::filesystem::create_directories(folder_);
  const std::filesystem::path link = temp_.path() / "link";
  std::filesystem::create_directory_symlink(folder_, link);
  EXPECT_TRUE(make_private_folder(link).has_value());
  ASSERT_EQ(::lchown(link.c_str(), 12'345, 12'345), 0);

  const Result<> refused = make_private_folder(link);

  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, ErrorCode::kForbidden);
}

TEST_F(PrivateFolder, FileInItsPlaceIsAnErrorWithItsName) {
  std::filesystem::create_directories(folder_.parent_path());
  std::ofstream(folder_) << "x";

  const Result<> refused = make_private_folder(folder_);

  ASSERT_FALSE(refused.has_value());
  EXPECT_NE(refused.error().message.find(folder_.string()), std::string::npos);
}

TEST_F(PrivateFolder, FilesThatOthersMayReadAreTheirOwnersAfterwards) {
  std::filesystem::create_directories(folder_ / "below");
  for (const char* name : {"minimill.db", "minimill.db-wal"}) std::ofstream(folder_ / name) << "x";
  std::ofstream(folder_ / "below" / "model.gguf") << "x";
  std::filesystem::create_symlink(folder_ / "below" / "model.gguf", folder_ / "link");

  ASSERT_TRUE(make_files_private(folder_).has_value());

  EXPECT_EQ(mode_of(folder_ / "minimill.db"), 0600U);
  EXPECT_EQ(mode_of(folder_ / "minimill.db-wal"), 0600U);
  EXPECT_EQ(mode_of(folder_ / "below" / "model.gguf"), 0666U);
}

}  // namespace
}  // namespace minimill
