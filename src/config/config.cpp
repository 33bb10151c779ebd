#include "config/config.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <toml++/toml.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <initializer_list>
#include <sstream>

#include "base/http_url.h"
#include "base/json.h"
#include "base/units.h"
#include "settings/toml_reader.h"

extern char** environ;

namespace minimill::config {
namespace {

using settings::TomlErrors;
using settings::TomlReader;

chat::Protocol protocol_of(TomlReader& table) {
  const std::string text = table.string("protocol", "openai");
  if (text == "anthropic") return chat::Protocol::kAnthropic;
  if (text != "openai") {
    table.reject("protocol", fmt::format("no protocol '{}'", text), "use openai or anthropic");
  }
  return chat::Protocol::kOpenAi;
}

std::string default_base_url(chat::Protocol protocol) {
  return protocol == chat::Protocol::kOpenAi ? "https://api.openai.com/v1"
                                             : "https://api.anthropic.com";
}

std::string url_of(TomlReader& table, std::string otherwise) {
  std::string url = table.string("base_url", otherwise);
  if (!url.starts_with("http://") && !url.starts_with("https://")) {
    table.reject("base_url", fmt::format("'{}' is not an http:// or https:// URL", url), "");
  }
  while (url.ends_with('/')) url.pop_back();
  return url;
}

void read_local(TomlReader table, LocalConfig& local) {
  local.model = table.string("model", local.model);
  local.llama_server = table.string("llama_server", local.llama_server.string());
  local.slots = table.integer("slots", local.slots, 1, 64);
  local.context_tokens = table.integer("context_tokens", local.context_tokens, 256, 1 << 20);
  local.threads = table.integer("threads", local.threads, 0, 1024);
  local.max_answer_tokens = table.integer("max_answer_tokens", local.max_answer_tokens, 1, 1 << 20);
  local.idle_stop_s = table.integer("idle_stop_s", local.idle_stop_s, 0, 7 * 86'400);
  local.max_engines = table.integer("max_engines", local.max_engines, 1, 64);
  if (const std::string memory = table.string("memory", ""); !memory.empty()) {
    const std::optional<std::int64_t> bytes = parse_bytes(memory);
    if (!bytes) {
      table.reject("memory", fmt::format("'{}' is no amount of memory", memory),
                   "for example \"8GB\"; \"0\": by what is free");
    }
    local.memory = static_cast<std::uint64_t>(bytes.value_or(0));
  }
  local.extra_args = table.strings("extra_args");
  table.finish();
}

constexpr int kMostAtOnce = 4096;  // requests in the cloud
constexpr std::string_view kStretch = "stretch";
constexpr std::string_view kFirstCome = "first-come";

route::QualityBound read_bound(TomlReader table) {
  route::QualityBound bound;
  bound.app = table.string("app", "");
  bound.operation = route::operation_slug(table.string("operation", ""));
  if (!bound.app.empty() && !bound.operation.empty()) {
    table.reject("app", "a bound is of an app or of an operation", "write two of them");
  }
  bound.risk.max_loss = table.number("max_loss", bound.risk.max_loss, 0.001, 1);
  bound.risk.confidence = table.number("confidence", bound.risk.confidence, 0.5, 0.999);
  table.finish();
  return bound;
}

/// What is not this machine is taken for its owner's only where the owner says so: what may not
/// leave the house would else leave it by a line in a file.
chat::Destination destination_of(TomlReader& table, const EngineConfig& engine) {
  const Result<HttpUrl> url = parse_http_url(engine.base_url);
  if (!url) {
    table.reject("base_url", url.error().message, url.error().hint);
    return chat::Destination::kDevice;
  }
  if (is_loopback(*url)) return chat::Destination::kDevice;
  if (!engine.trusted) {
    table.reject("base_url", fmt::format("{} is another machine", url->host),
                 "set trusted = true if it is your own; one of somebody else's is a [[provider]]");
  }
  return chat::Destination::kHouse;
}

EngineConfig read_engine(TomlReader table) {
  EngineConfig engine;
  engine.name = table.required_string("name");
  engine.base_url = url_of(table, "");
  engine.model = table.string("model", engine.name);
  engine.key_env = table.string("key_env", "");
  engine.context_tokens = table.integer("context_tokens", 0, 0, 1 << 24);
  engine.slots = table.integer("slots", 0, 0, 1024);
  engine.trusted = table.boolean("trusted", false);
  engine.destination = destination_of(table, engine);
  table.finish();
  return engine;
}

/// What is not said is the catalogue's.
ProviderConfig read_provider(TomlReader table, const cloud::Catalogue& catalogue) {
  ProviderConfig provider;
  provider.name = table.required_string("name");
  const cloud::CatalogueProvider* known = catalogue.find(provider.name);
  const bool says_protocol = table.has("protocol");
  const bool says_url = table.has("base_url");
  provider.protocol = protocol_of(table);
  std::string url = default_base_url(provider.protocol);
  if (known != nullptr) {
    if (!says_protocol) provider.protocol = known->protocol;
    if (known->is_template() && !says_url) {
      table.reject("base_url", fmt::format("'{}' has a part to fill in", known->base_url),
                   fmt::format("set base_url = \"{}\" with your own name in its braces' place",
                               known->base_url));
    }
    url = known->base_url;
    for (const cloud::CatalogueModel& model : known->models) provider.models.push_back(model.name);
  }
  provider.base_url = url_of(table, url);
  // A key goes to where the catalogue says, or where the user sends it, and nowhere else.
  const bool key_fits = known != nullptr && (!says_url || known->is_template());
  provider.key_env = table.string("key_env", key_fits ? known->key_env : "");
  provider.key_header = table.string("key_header", known != nullptr ? known->key_header : "");
  if (table.has("models")) provider.models = table.strings("models");
  const cloud::CatalogueProvider* there = catalogue.find_by_url(provider.base_url);
  provider.batch_api = table.boolean("batch_api", there != nullptr && there->batch_api);
  const cloud::CatalogueProvider* priced_as = known != nullptr ? known : there;
  provider.batch_price_factor = table.number(
      "batch_price_factor", priced_as != nullptr ? priced_as->batch_price_factor : 1, 0, 1);
  if (provider.models.empty()) {
    table.reject("models", "names no model", "list at least one, the default first");
  }
  if (table.has("max_concurrent")) {
    provider.max_concurrent = table.integer("max_concurrent", 1, 1, kMostAtOnce);
  }
  table.finish();
  return provider;
}

void read_cloud(TomlReader table, CloudConfig& cloud) {
  constexpr double kMaxWeight = 100;
  cloud.prefer = table.string("prefer", cloud.prefer);
  if (Result<cloud::Preference> weights = cloud::parse_preference(cloud.prefer)) {
    cloud.weights = *weights;
  } else {
    table.reject("prefer", weights.error().message, weights.error().hint);
  }
  TomlReader weights = table.table("weights");
  cloud.weights.fast = weights.number("fast", cloud.weights.fast, 0, kMaxWeight);
  cloud.weights.cheap = weights.number("cheap", cloud.weights.cheap, 0, kMaxWeight);
  cloud.weights.steady = weights.number("steady", cloud.weights.steady, 0, kMaxWeight);
  weights.finish();
  cloud.hedge_budget = table.number("hedge_budget", cloud.hedge_budget, 0, 1);
  cloud.quality_margin = table.number("quality_margin", cloud.quality_margin, 0, 1);
  table.finish();
}

cloud::Price read_price(TomlReader table) {
  constexpr double kMaxUsdPerMtok = 1e6;
  cloud::Price price;
  price.input_usd_per_mtok = table.number("input", 0, 0, kMaxUsdPerMtok);
  price.cached_input_usd_per_mtok =
      table.number("cached_input", price.input_usd_per_mtok, 0, kMaxUsdPerMtok);
  if (table.has("cache_write")) {
    price.cache_write_5m_usd_per_mtok = table.number("cache_write", 0, 0, kMaxUsdPerMtok);
  }
  if (table.has("cache_write_1h")) {
    price.cache_write_1h_usd_per_mtok = table.number("cache_write_1h", 0, 0, kMaxUsdPerMtok);
  }
  price.output_usd_per_mtok = table.number("output", 0, 0, kMaxUsdPerMtok);
  table.finish();
  return price;
}

void read_batch(TomlReader table, BatchConfig& batch) {
  constexpr int kDay_s = 86'400;
  batch.enabled = table.boolean("enabled", batch.enabled);
  batch.providers = table.strings("providers");
  batch.min_wait_s = table.integer("min_wait_s", batch.min_wait_s, 1, 30 * kDay_s);
  batch.gather_s = table.integer("gather_s", batch.gather_s, 0, kDay_s);
  batch.max_tasks = table.integer("max_tasks", batch.max_tasks, 1, 10'000);
  batch.poll_s = table.integer("poll_s", batch.poll_s, 1, kDay_s);
  batch.reserve_s = table.integer("reserve_s", batch.reserve_s, 0, kDay_s);
  if (table.has("discount")) {
    table.reject("discount", "a batch's price is its provider's",
                 "set batch_price_factor of the [[provider]]");
  }
  table.finish();
}

void read_ledger(TomlReader table, LedgerConfig& ledger) {
  constexpr std::int64_t kLeastBytes = 10'000'000;
  if (table.has("keep")) {
    const std::string text = table.string("keep", "");
    const std::optional<double> keep_s = parse_seconds(text);
    constexpr double kMost_s = 100 * 366 * 86'400.0;
    if (!keep_s || *keep_s > kMost_s) {
      table.reject("keep", fmt::format("'{}' is no span of time", text),
                   "for example \"90d\"; \"0\": for ever");
    }
    ledger.keep_s = keep_s.value_or(0);
  }
  if (table.has("max_size")) {
    const std::string text = table.string("max_size", "");
    const std::optional<std::int64_t> bytes = parse_bytes(text);
    if (!bytes || (*bytes > 0 && *bytes < kLeastBytes)) {
      table.reject("max_size", fmt::format("'{}' is no size of at least 10MB", text),
                   "for example \"2GB\"; \"0\": no bound");
    }
    ledger.max_bytes = bytes.value_or(0);
  }
  table.finish();
}

void read_outbox(TomlReader table, OutboxConfig& outbox) {
  outbox.allow = table.strings("allow");
  for (const std::string& text : outbox.allow) {
    const Result<HttpUrl> url = parse_http_url(text);
    if (!url) table.reject("allow", url.error().message, url.error().hint);
    if (url && !url->query.empty()) {
      table.reject("allow", fmt::format("'{}' has a query", text), "end it before the '?'");
    }
  }
  outbox.max_attempts = table.integer("max_attempts", outbox.max_attempts, 1, 1'000);
  table.finish();
}

void read_sim_cloud(TomlReader table, SimCloudConfig& sim) {
  sim.enabled = table.boolean("enabled", sim.enabled);
  sim.first_token_ms = table.integer("first_token_ms", sim.first_token_ms, 0, 600'000);
  sim.tokens_per_second = table.number("tokens_per_second", sim.tokens_per_second, 0, 1e6);
  sim.p_correct = table.number("p_correct", sim.p_correct, 0, 1);
  sim.gold = table.string("gold", sim.gold);
  table.finish();
}

void read_root(TomlReader& root, Config& config) {
  TomlReader server = root.table("server");
  if (server.has("listen")) config.listen = server.strings("listen");
  if (server.has("origins")) config.origins = server.strings("origins");
  server.finish();

  TomlReader data = root.table("data");
  config.data_dir = data.string("dir", config.data_dir.string());
  data.finish();

  TomlReader log = root.table("log");
  config.log_level = log.string("level", config.log_level);
  log.finish();

  TomlReader privacy = root.table("privacy");
  const std::string level = privacy.string("default", policy::name(config.privacy));
  if (Result<policy::Privacy> parsed = policy::parse_privacy(level, "privacy.default")) {
    config.privacy = *parsed;
  } else {
    privacy.reject("default", parsed.error().message, parsed.error().hint);
  }
  privacy.finish();

  read_local(root.table("local"), config.local);
  for (TomlReader& engine : root.tables("engine")) {
    config.engines.push_back(read_engine(std::move(engine)));
  }
  for (TomlReader& provider : root.tables("provider")) {
    config.providers.push_back(read_provider(std::move(provider), config.catalogue));
  }
  read_cloud(root.table("cloud"), config.cloud);
  for (auto& [model, price] : root.named_tables("prices")) {
    config.prices[model] = read_price(std::move(price));
  }

  TomlReader lanes = root.table("lanes");
  if (lanes.has("cloud_slots")) {
    config.lanes.cloud_slots = lanes.integer("cloud_slots", 1, 1, kMostAtOnce);
  }
  config.lanes.cloud_tasks = lanes.integer("cloud_tasks", config.lanes.cloud_tasks, 1, kMostAtOnce);
  config.lanes.max_queued = lanes.integer("max_queued", config.lanes.max_queued, 1, 100'000);
  config.lanes.waiting_usd_per_h =
      lanes.number("waiting_usd_per_h", config.lanes.waiting_usd_per_h, 0.001, 1e6);
  config.lanes.app_waiting_usd_per_h =
      lanes.number("app_waiting_usd_per_h", config.lanes.app_waiting_usd_per_h, 0.001, 1e6);
  config.lanes.running_share = lanes.number("running_share", config.lanes.running_share, 0, 100);
  config.lanes.accept_degraded = lanes.boolean("accept_degraded", config.lanes.accept_degraded);
  config.lanes.balance = lanes.boolean("balance", config.lanes.balance);
  const std::string order = lanes.string("order", kStretch);
  config.lanes.first_come = order == kFirstCome;
  if (order != kStretch && order != kFirstCome) {
    lanes.reject("order", fmt::format("'{}' is no order", order),
                 "use stretch (by predicted time) or first-come");
  }
  lanes.finish();

  TomlReader router = root.table("router");
  config.router.threshold = router.number("threshold", config.router.threshold, 0, 1);
  config.router.threshold_checked =
      router.number("threshold_checked", config.router.threshold_checked, 0, 1);
  for (TomlReader& bound : router.tables("bound")) {
    config.router.bounds.push_back(read_bound(std::move(bound)));
  }
  if (config.router.bounds.size() > route::RouterOptions::kMaxBounds) {
    router.reject("bound", "there are too many",
                  fmt::format("at most {} may be set", route::RouterOptions::kMaxBounds));
  }
  router.finish();

  TomlReader shadow = root.table("shadow");
  config.shadow.share = shadow.number("share", config.shadow.share, 0, 1);
  config.shadow.usd_per_day = shadow.number("usd_per_day", config.shadow.usd_per_day, 0, 1e6);
  config.shadow.judge = shadow.string("judge", config.shadow.judge);
  shadow.finish();

  TomlReader watch = root.table("watch");
  config.watch.enabled = watch.boolean("enabled", config.watch.enabled);
  config.watch.tokens = watch.integer("tokens", config.watch.tokens, 1, 1024);
  config.watch.ms = watch.integer("ms", config.watch.ms, 1, 60'000);
  watch.finish();

  TomlReader tasks = root.table("tasks");
  config.tasks.max_attempts = tasks.integer("max_attempts", config.tasks.max_attempts, 1, 100);
  config.tasks.lease_s = tasks.integer("lease_s", config.tasks.lease_s, 10, 86'400);
  config.tasks.max_tokens = tasks.integer("max_tokens", config.tasks.max_tokens, 1, 1 << 20);
  tasks.finish();

  read_batch(root.table("batch"), config.batch);
  read_outbox(root.table("outbox"), config.outbox);
  read_ledger(root.table("ledger"), config.ledger);
  read_sim_cloud(root.table("sim_cloud"), config.sim_cloud);
  root.finish();
}

Result<> check_names(const Config& config, std::string_view source) {
  std::vector<std::string> names;
  for (const EngineConfig& engine : config.engines) names.push_back(engine.name);
  for (const ProviderConfig& provider : config.providers) names.push_back(provider.name);
  std::ranges::sort(names);
  if (const auto twice = std::ranges::adjacent_find(names); twice != names.end()) {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("{}: two engines or providers are called '{}'", source, *twice),
                "give each a name of its own");
  }
  for (const std::string& name : config.batch.providers) {
    const auto found = std::ranges::find(config.providers, name, &ProviderConfig::name);
    if (found != config.providers.end() || name == "sim-cloud") continue;
    return fail_field("batch.providers", fmt::format("{}: no provider '{}'", source, name),
                      "name a [[provider]] whose batch API is to be used");
  }
  return {};
}

/// JSON's strings are TOML's basic strings.
std::string in_quotes(std::string_view text) {
  std::string out;
  append_json_string(out, text);
  return out;
}

std::string in_quotes(const std::vector<std::string>& texts) {
  std::vector<std::string> parts;
  for (const std::string& text : texts) parts.push_back(in_quotes(text));
  return fmt::format("[{}]", fmt::join(parts, ", "));
}

std::string memory_text(std::uint64_t bytes) { return bytes == 0 ? "" : fmt::format("{}B", bytes); }

}  // namespace

Environment Environment::read() {
  Environment environment;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view text(*entry);
    const auto equals = text.find('=');
    if (equals == std::string_view::npos) continue;
    environment.variables.emplace(text.substr(0, equals), text.substr(equals + 1));
  }
  environment.home = environment.get("HOME");
  environment.xdg_config_home = environment.get("XDG_CONFIG_HOME");
  environment.xdg_data_home = environment.get("XDG_DATA_HOME");
  environment.xdg_runtime_dir = environment.get("XDG_RUNTIME_DIR");
  return environment;
}

std::string_view Environment::get(std::string_view name) const {
  const auto found = variables.find(name);
  return found == variables.end() ? std::string_view{} : std::string_view(found->second);
}

std::filesystem::path Environment::config_dir() const {
  return (xdg_config_home.empty() ? std::filesystem::path(home) / ".config"
                                  : std::filesystem::path(xdg_config_home)) /
         "minimill";
}

std::filesystem::path Environment::data_dir() const {
  return (xdg_data_home.empty() ? std::filesystem::path(home) / ".local" / "share"
                                : std::filesystem::path(xdg_data_home)) /
         "minimill";
}

std::filesystem::path default_config_path(const Environment& environment) {
  return environment.config_dir() / "config.toml";
}

std::filesystem::path default_catalogue_path(const Environment& environment) {
  return environment.config_dir() / "providers.toml";
}

Result<Config> parse_config(std::string_view text, std::string_view source,
                            const Environment& environment, const cloud::Catalogue& catalogue) {
  Config config;
  config.catalogue = catalogue;
  config.data_dir = environment.data_dir();
  toml::table parsed;
  try {
    parsed = toml::parse(text, source);
  } catch (const toml::parse_error& error) {  // toml++ reports bad input only so
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("{}:{}:{}: {}", source, error.source().begin.line,
                            error.source().begin.column, error.description()));
  }
  TomlErrors errors;
  TomlReader root(parsed, "", std::string(source), errors);
  read_root(root, config);
  if (errors.first) return std::unexpected(std::move(*errors.first));
  if (Result<> names = check_names(config, source); !names) return std::unexpected(names.error());
  if (config.data_dir.string().starts_with("~/")) {
    config.data_dir = std::filesystem::path(environment.home) / config.data_dir.string().substr(2);
  }
  return config;
}

namespace {

Result<std::string> read_file(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  if (!in) return fail(ErrorCode::kIo, fmt::format("cannot read {}", file.string()));
  return text.str();
}

Result<cloud::Catalogue> load_catalogue(const Environment& environment) {
  cloud::Catalogue catalogue = cloud::Catalogue::built_in();
  const std::filesystem::path file = default_catalogue_path(environment);
  std::error_code ec;
  if (!std::filesystem::exists(file, ec)) return catalogue;
  Result<std::string> text = read_file(file);
  if (!text) return std::unexpected(std::move(text.error()));
  if (Result<> added = catalogue.add(*text, file.string()); !added) {
    return std::unexpected(std::move(added.error()));
  }
  return catalogue;
}

}  // namespace

Result<Config> load_config(const std::filesystem::path& path, const Environment& environment) {
  Result<cloud::Catalogue> catalogue = load_catalogue(environment);
  if (!catalogue) return std::unexpected(std::move(catalogue.error()));
  const std::filesystem::path file = path.empty() ? default_config_path(environment) : path;
  std::error_code ec;
  if (!std::filesystem::exists(file, ec)) {
    if (path.empty()) return parse_config("", "defaults", environment, *catalogue);
    return fail(ErrorCode::kNotFound, fmt::format("no configuration file {}", file.string()),
                "check --config, or leave it out to use the defaults");
  }
  Result<std::string> text = read_file(file);
  if (!text) return std::unexpected(std::move(text.error()));
  return parse_config(*text, file.string(), environment, *catalogue);
}

std::string to_toml(const Config& config) {
  std::string out;
  const auto line = [&out]<class... Args>(fmt::format_string<Args...> format, Args&&... args) {
    out += fmt::format(format, std::forward<Args>(args)...);
    out += '\n';
  };
  line("[server]\nlisten = {}\norigins = {}\n", in_quotes(config.listen),
       in_quotes(config.origins));
  line("[data]\ndir = {}\n", in_quotes(config.data_dir.string()));
  line("[log]\nlevel = {}\n", in_quotes(config.log_level));
  line("[privacy]\ndefault = {}\n", in_quotes(policy::name(config.privacy)));
  line("[local]\nmodel = {}", in_quotes(config.local.model));
  if (!config.local.llama_server.empty()) {
    line("llama_server = {}", in_quotes(config.local.llama_server.string()));
  }
  line(
      "slots = {}\ncontext_tokens = {}\nthreads = {}\nmax_answer_tokens = {}\nidle_stop_s = "
      "{}\nmax_engines = {}\nmemory = {}\nextra_args = {}\n",
      config.local.slots, config.local.context_tokens, config.local.threads,
      config.local.max_answer_tokens, config.local.idle_stop_s, config.local.max_engines,
      in_quotes(memory_text(config.local.memory)), in_quotes(config.local.extra_args));
  for (const EngineConfig& engine : config.engines) {
    line(
        "[[engine]]\nname = {}\nbase_url = {}\nmodel = {}\nkey_env = {}\ncontext_tokens = "
        "{}\nslots = {}\ntrusted = {}\n",
        in_quotes(engine.name), in_quotes(engine.base_url), in_quotes(engine.model),
        in_quotes(engine.key_env), engine.context_tokens, engine.slots, engine.trusted);
  }
  for (const ProviderConfig& provider : config.providers) {
    line(
        "[[provider]]\nname = {}\nprotocol = {}\nbase_url = {}\nkey_env = {}\nkey_header = "
        "{}\nmodels = {}\nbatch_api = {}\nbatch_price_factor = {}\n",
        in_quotes(provider.name),
        in_quotes(provider.protocol == chat::Protocol::kOpenAi ? "openai" : "anthropic"),
        in_quotes(provider.base_url), in_quotes(provider.key_env), in_quotes(provider.key_header),
        in_quotes(provider.models), provider.batch_api, provider.batch_price_factor);
    if (provider.max_concurrent) line("max_concurrent = {}\n", *provider.max_concurrent);
  }
  line("[cloud]\nprefer = {}\nhedge_budget = {}\nquality_margin = {}\n",
       in_quotes(config.cloud.prefer), config.cloud.hedge_budget, config.cloud.quality_margin);
  line("[cloud.weights]\nfast = {}\ncheap = {}\nsteady = {}\n", config.cloud.weights.fast,
       config.cloud.weights.cheap, config.cloud.weights.steady);
  for (const auto& [model, price] : config.prices) {
    line("[prices.{}]\ninput = {}\ncached_input = {}\noutput = {}\n", in_quotes(model),
         price.input_usd_per_mtok, price.cached_input_usd_per_mtok, price.output_usd_per_mtok);
    if (const auto write = price.cache_write_5m_usd_per_mtok) line("cache_write = {}\n", *write);
    if (const auto write = price.cache_write_1h_usd_per_mtok) line("cache_write_1h = {}\n", *write);
  }
  line("[lanes]");
  if (config.lanes.cloud_slots) line("cloud_slots = {}", *config.lanes.cloud_slots);
  line(
      "cloud_tasks = {}\nmax_queued = {}\nwaiting_usd_per_h = {}\n"
      "app_waiting_usd_per_h = {}\nrunning_share = {}\naccept_degraded = {}\n"
      "balance = {}\norder = {}\n",
      config.lanes.cloud_tasks, config.lanes.max_queued, config.lanes.waiting_usd_per_h,
      config.lanes.app_waiting_usd_per_h, config.lanes.running_share, config.lanes.accept_degraded,
      config.lanes.balance, in_quotes(config.lanes.first_come ? kFirstCome : kStretch));
  line("[router]\nthreshold = {}\nthreshold_checked = {}\n", config.router.threshold,
       config.router.threshold_checked);
  for (const route::QualityBound& bound : config.router.bounds) {
    line("[[router.bound]]\napp = {}\noperation = {}\nmax_loss = {}\nconfidence = {}\n",
         in_quotes(bound.app), in_quotes(bound.operation), bound.risk.max_loss,
         bound.risk.confidence);
  }
  line("[shadow]\nshare = {}\nusd_per_day = {}\njudge = {}\n", config.shadow.share,
       config.shadow.usd_per_day, in_quotes(config.shadow.judge));
  line("[watch]\nenabled = {}\ntokens = {}\nms = {}\n", config.watch.enabled, config.watch.tokens,
       config.watch.ms);
  line("[tasks]\nmax_attempts = {}\nlease_s = {}\nmax_tokens = {}\n", config.tasks.max_attempts,
       config.tasks.lease_s, config.tasks.max_tokens);
  line("[outbox]\nallow = {}\nmax_attempts = {}\n", in_quotes(config.outbox.allow),
       config.outbox.max_attempts);
  line("[ledger]\nkeep = \"{:.0f}s\"\nmax_size = \"{}\"\n", config.ledger.keep_s,
       config.ledger.max_bytes);
  line(
      "[batch]\nenabled = {}\nproviders = {}\nmin_wait_s = {}\ngather_s = {}\nmax_tasks = {}\n"
      "poll_s = {}\nreserve_s = {}\n",
      config.batch.enabled, in_quotes(config.batch.providers), config.batch.min_wait_s,
      config.batch.gather_s, config.batch.max_tasks, config.batch.poll_s, config.batch.reserve_s);
  line(
      "[sim_cloud]\nenabled = {}\nfirst_token_ms = {}\ntokens_per_second = {}\np_correct = "
      "{}\ngold = {}",
      config.sim_cloud.enabled, config.sim_cloud.first_token_ms, config.sim_cloud.tokens_per_second,
      config.sim_cloud.p_correct, in_quotes(config.sim_cloud.gold));
  return out;
}

}  // namespace minimill::config
