// Where models are looked for: pip's configuration, the index's pages, and URLs as they are shown.

#include <gtest/gtest.h>

#include <map>
#include <string>

#include "models/download.h"
#include "models/package_index.h"
#include "models/pip_config.h"
#include "models/public_url.h"

namespace minimill::models {
namespace {

const std::string kHash(64, 'a');
constexpr const char* kPage = "https://user:secret@i.example/simple/p/";

PipConfig config_from(std::map<std::string, std::string> variables,
                      std::map<std::string, std::string> files) {
  const auto variable = [&variables](std::string_view name) {
    return variables[std::string(name)];
  };
  const auto file = [&files](const std::string& path) { return files[path]; };
  return read_pip_config(variable, file);
}

TEST(PipPrecedence, ChosenFileReplacesTheUsers) {
  const std::map<std::string, std::string> files{
      {"/h/.config/pip/pip.conf", "[global]\nindex-url=http://user"},
      {"/etc/pip.conf", "[global]\ncert=/etc.pem"},
      {"/mine", "[global]\nindex-url=http://mine"}};

  const PipConfig config = config_from({{"HOME", "/h"}, {"PIP_CONFIG_FILE", "/mine"}}, files);

  EXPECT_EQ(config.index_url, "http://mine");
  EXPECT_EQ(config.ca_file, "/etc.pem");
  EXPECT_EQ(config_from({{"HOME", "/h"}, {"PIP_CONFIG_FILE", "/gone"}}, files).index_url,
            "http://user");
}

TEST(PipPrecedence, DevNullMeansNoFiles) {
  const PipConfig config = config_from({{"PIP_CONFIG_FILE", "/dev/null"}},
                                       {{"/etc/pip.conf", "[global]\nindex-url=http://etc"}});
  EXPECT_EQ(config.index_url, "https://pypi.org/simple");
}

TEST(PipPrecedence, CommandsSectionGoesBeforeTheGlobalOne) {
  const PipConfig config = config_from(
      {{"HOME", "/h"}}, {{"/etc/pip.conf", "[install]\nindex-url = http://install\n"},
                         {"/h/.pip/pip.conf", "[global]\nindex-url = http://global\n"}});
  EXPECT_EQ(config.index_url, "http://install");
}

TEST(PackagePage, AnchorsAreReadHoweverTheyAreWritten) {
  const std::string page = "<!DOCTYPE html><a>no</a><abbr href='p-9.0-x.whl#sha256=" + kHash +
                           "'></abbr>"
                           "<A  data-requires-python='&gt;=3.8' HREF = "
                           "'../../f/p-1.2-py3-none-any.whl?a=1&amp;b=2#sha256=" +
                           kHash + "' >p</A>";

  const Result<Wheel> wheel = newest_wheel(page, "text/html", kPage);

  ASSERT_TRUE(wheel.has_value()) << wheel.error().message;
  EXPECT_EQ(wheel->file_name, "p-1.2-py3-none-any.whl");
  EXPECT_EQ(wheel->url, "https://user:secret@i.example/f/p-1.2-py3-none-any.whl?a=1&b=2");
  EXPECT_EQ(wheel->sha256, kHash);
}

TEST(PackagePage, YankedReleasesAndOtherHashesArePassedBy) {
  const std::string page = "<a href=\"p-3.0-x.whl#sha256=" + kHash +
                           "\" data-yanked=\"bad\">x</a>"
                           "<a href=\"p-2.0-x.whl#md5=abc\">x</a>"
                           "<a href=\"p-1.5.tar.gz#sha256=" +
                           kHash +
                           "\">x</a>"
                           "<a href=\"p-1.0.post1-x.whl#sha256=" +
                           kHash +
                           "\">x</a>"
                           "<a href=\"p-1.0-x.whl#sha256=" +
                           kHash + "\">x</a>";
  EXPECT_EQ(newest_wheel(page, "text/html", kPage)->file_name, "p-1.0.post1-x.whl");

  const std::string json =
      R"({"files":[{"filename":"p-2.0-x.whl","url":"/a","yanked":"bad","hashes":{"sha256":")" +
      kHash + R"("}},{"filename":"p-1.0-x.whl","url":"/b","yanked":false,"hashes":{"sha256":")" +
      kHash + R"("}}]})";
  EXPECT_EQ(newest_wheel(json, "application/vnd.pypi.simple.v1+json", kPage)->file_name,
            "p-1.0-x.whl");
}

TEST(PackagePage, LinkToAFileOnThisMachineIsRefused) {
  const std::string page = "<a href=\"file:///etc/p-1.0-x.whl#sha256=" + kHash + "\">x</a>";
  EXPECT_EQ(newest_wheel(page, "text/html", kPage).error().code, ErrorCode::kCorrupt);
}

TEST(PackagePage, HalfAPageIsNoCrash) {
  const std::string page =
      "<a href=\"p-1.0-x.whl#sha256=" + kHash + "\" data-yanked>x</a><a href='";
  for (std::size_t size = 0; size <= page.size(); ++size) {
    EXPECT_FALSE(newest_wheel(page.substr(0, size), "text/html", kPage).has_value()) << size;
  }
}

TEST(PublicUrl, ShowsNoSecret) {
  EXPECT_EQ(public_url("https://user:secret@h.example:8443/a/b.gguf?token=1#x"),
            "https://h.example:8443/a/b.gguf");
  EXPECT_EQ(public_url("no url at all"), "");
}

TEST(Sha256Text, IsTakenOutOfQuotesOrNotAtAll) {
  EXPECT_EQ(sha256_text("\"" + std::string(64, 'A') + "\""), kHash);
  EXPECT_EQ(sha256_text(kHash.substr(1)), "");
  EXPECT_EQ(sha256_text(std::string(64, 'g')), "");
}

}  // namespace
}  // namespace minimill::models
