#include <fcntl.h>
#include <fmt/format.h>
#include <spawn.h>
#include <unistd.h>

#include <algorithm>
#include <array>

#include "cli/command.h"
#include "cli/session.h"
#include "config/data_folder.h"

namespace minimill::cli {
namespace {

struct OpenFlags {
  bool print_only = false;
};

/// Where a browser on this machine reaches the daemon; "" where it listens on sockets alone.
std::string browsable(const std::vector<std::string>& addresses) {
  const auto is_tcp = [](const std::string& each) { return !each.starts_with("unix:"); };
  const auto found = std::ranges::find_if(addresses, is_tcp);
  if (found == addresses.end()) return {};
  std::string address = *found;
  for (const std::string_view any : {"0.0.0.0:", "[::]:"}) {
    if (address.starts_with(any)) address = "127.0.0.1:" + address.substr(any.size());
  }
  return address;
}

/// Hands the address to the desktop. Where there is none, the printed link is all there is.
void open_in_browser(const std::string& url) {
#ifdef __APPLE__
  std::string opener = "open";
#else
  std::string opener = "xdg-open";
#endif
  std::string link = url;
  const std::array<char*, 3> arguments{opener.data(), link.data(), nullptr};
  posix_spawn_file_actions_t quiet;
  ::posix_spawn_file_actions_init(&quiet);
  for (const int stream : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    ::posix_spawn_file_actions_addopen(&quiet, stream, "/dev/null", O_RDWR, 0);
  }
  pid_t child = 0;
  (void)::posix_spawnp(&child, opener.c_str(), &quiet, nullptr, arguments.data(), environ);
  ::posix_spawn_file_actions_destroy(&quiet);
}

int open(const Context& context, const OpenFlags& flags) {
  Result<config::Config> config = context.config();
  if (!config) return report_error(config.error());
  const auto addresses = config::find_daemon(config->data_dir);
  const std::string address = addresses ? browsable(*addresses) : std::string{};
  if (address.empty()) {
    return report_error(
        {.code = ErrorCode::kUnavailable,
         .message = addresses ? "the daemon listens on Unix sockets alone" : "no daemon is running",
         .hint = addresses ? "add an address to [server] listen: 127.0.0.1:4177"
                           : "start one: minimill serve",
         .field = {},
         .retry_after = {}});
  }
  ApiClient api(addresses->front());
  Result<json::object> link = api.post("/minimill/v1/sessions", json::object{});
  if (!link) return report_error(link.error());
  const std::string url =
      fmt::format("http://{}{}", address, std::string_view(link->at("path").as_string()));
  fmt::print("{}\n", url);
  if (!flags.print_only) open_in_browser(url);
  return kExitOk;
}

}  // namespace

void add_open(CLI::App& app, Context& context) {
  auto flags = std::make_shared<OpenFlags>();
  CLI::App* command = app.add_subcommand("open", "Open the mill floor in a browser");
  command->add_flag("--print", flags->print_only, "Only print the link");
  command->footer(
      "The link lets one browser in, once, within five minutes; there is no password.\n"
      "Examples:\n"
      "  minimill open\n"
      "  ssh -L 4177:127.0.0.1:4177 mill minimill open --print");
  run_on_choice(command, context, flags, open);
}

}  // namespace minimill::cli
