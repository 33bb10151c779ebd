#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <ranges>
#include <utility>

#include "base/private_folder.h"
#include "cli/app_setup.h"

namespace minimill::cli {
namespace {

namespace fs = std::filesystem;

/// As a shell looks for it.
std::optional<fs::path> find_program(std::string_view name, std::string_view search_path) {
  for (const auto part : std::views::split(search_path, ':')) {
    const fs::path candidate = fs::path(std::string_view(part.begin(), part.end())) / name;
    std::error_code ec;
    if (fs::is_regular_file(candidate, ec) && ::access(candidate.c_str(), X_OK) == 0) {
      return candidate;
    }
  }
  return std::nullopt;
}

Result<> write_file(const fs::path& path, const std::string& text) {
  if (Result<> made = make_private_folder(path.parent_path()); !made) return made;
  constexpr mode_t kOwnersOnly = 0600;
  // No link is followed: what it points to would be written over.
  const int file =
      ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, kOwnersOnly);
  const bool written =
      file >= 0 && std::cmp_equal(::write(file, text.data(), text.size()), text.size());
  const int error = errno;
  if (file >= 0) ::close(file);
  if (written) return {};
  return fail(ErrorCode::kIo,
              fmt::format("cannot write {}: {}", path.native(), std::strerror(error)));
}

/// A proxy that the user has is not asked for addresses of this machine.
void pass_by_proxies(const std::string& url, std::map<std::string, std::string, std::less<>>& env) {
  if (!url.starts_with("http://127.") && !url.starts_with("http://localhost")) return;
  for (const char* name : {"NO_PROXY", "no_proxy"}) {
    std::string& hosts = env[name];
    hosts += std::string(hosts.empty() ? "" : ",") + "127.0.0.1,localhost";
  }
}

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> out;
  for (std::string& text : texts) out.push_back(text.data());
  out.push_back(nullptr);
  return out;
}

/// Becomes the app; returns only where that fails.
Error become(const Context& context, const fs::path& program, const AppValues& values,
             const AppSetup& setup, const std::vector<std::string>& arguments) {
  auto variables = context.environment.variables;
  for (const std::string& name : setup.unset) variables.erase(name);
  for (const auto& [name, value] : setup.variables) variables[name] = value;
  pass_by_proxies(values.url, variables);
  std::vector<std::string> environment;
  for (const auto& [name, value] : variables) environment.push_back(name + "=" + value);
  std::vector<std::string> command{program.native()};
  std::ranges::copy(setup.arguments, std::back_inserter(command));
  std::ranges::copy(arguments, std::back_inserter(command));
  ::umask(context.shell_umask);  // its files are its user's, not minimill's
  std::signal(SIGPIPE, SIG_DFL);
  ::execve(program.c_str(), pointers(command).data(), pointers(environment).data());
  Error error;
  error.code = ErrorCode::kIo;
  error.message = fmt::format("cannot start {}: {}", program.native(), std::strerror(errno));
  return error;
}

Error not_running() {
  return fail(ErrorCode::kUnavailable, "no daemon is running",
              "start one: minimill serve; or name another machine's: --url")
      .error();
}

int launch(const Context& context, const AppSetupFlags& flags) {
  const Result<const KnownApp*> app = find_known_app(flags.app);
  if (!app) return report_error(app.error());
  if ((*app)->program.empty()) {
    return report_error(fail(ErrorCode::kUnsupported,
                             fmt::format("{} is no program to start", (*app)->title),
                             fmt::format("what it needs: minimill env {}", (*app)->name))
                            .error());
  }
  const auto program = find_program((*app)->program, context.environment.get("PATH"));
  if (!program) {
    return report_error(fail(ErrorCode::kNotFound,
                             fmt::format("there is no '{}' on PATH", (*app)->program),
                             fmt::format("{} is installed by: {}", (*app)->title, (*app)->install))
                            .error());
  }
  Result<FoundValues> found = find_values(context, flags);
  if (!found) return report_error(found.error());
  if (!found->running) return report_error(not_running());
  const AppSetup setup = set_up(**app, found->values);
  for (const auto& [path, text] : setup.files) {
    if (Result<> written = write_file(path, text); !written) return report_error(written.error());
  }
  return report_error(become(context, *program, found->values, setup, flags.arguments));
}

}  // namespace

void add_launch(CLI::App& app, Context& context) {
  auto flags = std::make_shared<AppSetupFlags>();
  CLI::App* command = app.add_subcommand("launch", "Start an app that gets its models here");
  command->add_option("app", flags->app, "Its name (minimill env lists them)")->required();
  command->add_option("arguments", flags->arguments, "Its own arguments, after --");
  add_setup_options(*command, *flags);
  command->footer(
      "The app gets variables and arguments for this start alone, and where it needs a file, one "
      "in\n"
      "minimill's data folder. Your own settings of it are not touched. `minimill env APP` shows "
      "all.\n"
      "\n"
      "Examples:\n"
      "  minimill launch claude-code\n"
      "  minimill launch codex --model cloud -- exec 'Mend the failing test'\n"
      "  minimill launch aider -- README.md");
  run_on_choice(command, context, flags, launch);
}

}  // namespace minimill::cli
