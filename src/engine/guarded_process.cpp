#include "engine/guarded_process.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstring>
#include <string_view>
#include <utility>

extern "C" char** environ;  // POSIX declares it nowhere

namespace minimill::engine {
namespace {

using boost::system::error_code;

/// Between the guard's socket closing and its being there to be reaped lies only its exit().
constexpr std::chrono::milliseconds kReapRetry{1};
constexpr std::size_t kMaxSaidBytes = 64;  // of "pid N\n"

/// A descriptor that closes itself.
class Descriptor {
 public:
  Descriptor() = default;
  explicit Descriptor(int number) : number_(number) {}
  ~Descriptor() {
    if (number_ >= 0) close(number_);
  }
  Descriptor(Descriptor&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(number_, other.number_);
    return *this;
  }
  int get() const { return number_; }
  int release() { return std::exchange(number_, -1); }

 private:
  int number_ = -1;
};

struct Ends {
  Descriptor ours;
  Descriptor theirs;
};

std::unexpected<Error> system_failure(std::string_view what, int code) {
  return fail(ErrorCode::kIo, fmt::format("{}: {}", what, std::strerror(code)),
              code == EMFILE || code == ENFILE ? "raise the limit of open files (ulimit -n)" : "");
}

/// Both ends close-on-exec: what the child shall have is dup2()ed, which clears the flag.
Result<Ends> close_on_exec(int ours, int theirs) {
  Ends ends{Descriptor(ours), Descriptor(theirs)};
  if (fcntl(ours, F_SETFD, FD_CLOEXEC) != 0 || fcntl(theirs, F_SETFD, FD_CLOEXEC) != 0) {
    return system_failure("cannot set close-on-exec", errno);
  }
  return ends;
}

Result<Ends> make_control() {
  int pair[2];
  if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) != 0) {
    return system_failure("cannot make a socket for the engine's guard", errno);
  }
  return close_on_exec(pair[0], pair[1]);
}

Result<Ends> make_output() {
  int pair[2];
  if (pipe(pair) != 0) return system_failure("cannot make a pipe for the engine's output", errno);
  return close_on_exec(pair[0], pair[1]);
}

/// The engine gets our environment without what is none of its business: keys, and variables that
/// would change llama-server's options behind our back (LLAMA_ARG_…, LLAMA_API_KEY).
std::vector<char*> engine_environment() {
  std::vector<char*> kept;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view variable(*entry);
    const std::string_view name = variable.substr(0, variable.find('='));
    const auto has = [&](std::string_view part) { return name.find(part) != name.npos; };
    if (name.starts_with("LLAMA_") || has("KEY") || has("TOKEN") || has("SECRET") ||
        has("PASSWORD")) {
      continue;
    }
    kept.push_back(*entry);
  }
  kept.push_back(nullptr);
  return kept;
}

/// posix_spawn's two argument objects, freed.
class SpawnPlan {
 public:
  SpawnPlan() {
    posix_spawn_file_actions_init(&actions_);
    posix_spawnattr_init(&attributes_);
  }
  ~SpawnPlan() {
    posix_spawn_file_actions_destroy(&actions_);
    posix_spawnattr_destroy(&attributes_);
  }
  SpawnPlan(const SpawnPlan&) = delete;
  SpawnPlan& operator=(const SpawnPlan&) = delete;

  int prepare(int input, int output) {
    sigset_t none;
    sigset_t ours;
    sigemptyset(&none);
    sigemptyset(&ours);
    // The daemon ignores SIGPIPE and catches the others; ignored signals would be inherited.
    for (const int number : {SIGPIPE, SIGCHLD, SIGTERM, SIGINT, SIGHUP}) sigaddset(&ours, number);
    int failed = posix_spawn_file_actions_adddup2(&actions_, input, STDIN_FILENO);
    if (failed == 0) failed = posix_spawn_file_actions_adddup2(&actions_, output, STDOUT_FILENO);
    if (failed == 0) failed = posix_spawn_file_actions_adddup2(&actions_, output, STDERR_FILENO);
    if (failed == 0) failed = posix_spawnattr_setpgroup(&attributes_, 0);
    if (failed == 0) failed = posix_spawnattr_setsigmask(&attributes_, &none);
    if (failed == 0) failed = posix_spawnattr_setsigdefault(&attributes_, &ours);
    if (failed == 0) {
      failed = posix_spawnattr_setflags(
          &attributes_, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    }
    return failed;
  }

  int spawn(pid_t& pid, const char* program, char** arguments, char** environment) {
    return posix_spawn(&pid, program, &actions_, &attributes_, arguments, environment);
  }

 private:
  posix_spawn_file_actions_t actions_;
  posix_spawnattr_t attributes_;
};

}  // namespace

/// Shared with the handlers of the reads under way, which outlive the object by one turn of the
/// loop.
struct GuardedProcess::State : std::enable_shared_from_this<State> {
  explicit State(asio::io_context& io) : control(io), output(io), reap_timer(io) {}

  void read_control();
  void read_output();
  void take_output(std::size_t bytes);
  void reap();
  void close_all();
  void changed() {
    if (on_change) on_change();
  }

  std::function<void()> on_change;
  pid_t guard = 0;  // also its process group; 0 once reaped
  int program = 0;
  std::optional<int> exit_status;

  asio::local::stream_protocol::socket control;  // its other end is the guard's stdin
  std::string said;
  std::array<char, kMaxSaidBytes> control_buffer;

  asio::posix::stream_descriptor output;
  std::string kept;
  std::array<char, 4096> output_buffer;

  asio::steady_timer reap_timer;
};

void GuardedProcess::State::read_control() {
  auto handler = [self = shared_from_this()](error_code error, std::size_t bytes) {
    if (error == asio::error::operation_aborted) return;
    if (error) {  // end-of-file: the guard has ended
      self->reap();
      return;
    }
    if (self->said.size() < kMaxSaidBytes) self->said.append(self->control_buffer.data(), bytes);
    const std::string_view line = self->said;
    const std::size_t end = line.find('\n');
    if (self->program == 0 && line.starts_with("pid ") && end != line.npos) {
      std::from_chars(line.data() + 4, line.data() + end, self->program);
      self->changed();
    }
    self->read_control();
  };
  control.async_read_some(asio::buffer(control_buffer), std::move(handler));
}

void GuardedProcess::State::take_output(std::size_t bytes) {
  kept.append(output_buffer.data(), bytes);
  if (kept.size() > kKeptOutputBytes) kept.erase(0, kept.size() - kKeptOutputBytes);
}

void GuardedProcess::State::read_output() {
  auto handler = [self = shared_from_this()](error_code error, std::size_t bytes) {
    if (error) return;
    self->take_output(bytes);
    self->read_output();
  };
  output.async_read_some(asio::buffer(output_buffer), std::move(handler));
}

void GuardedProcess::State::reap() {
  if (guard == 0) return;
  // Where the guard was killed and the kernel did not take its child along: the group's number
  // stays taken until the guard is reaped, so this hits nobody else.
  ::kill(-guard, SIGKILL);
  int status = 0;
  if (waitpid(guard, &status, WNOHANG) == 0) {
    reap_timer.expires_after(kReapRetry);
    reap_timer.async_wait([self = shared_from_this()](error_code error) {
      if (!error) self->reap();
    });
    return;
  }
  guard = 0;
  program = 0;
  exit_status = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
  // Its last words are in the pipe by now.
  error_code error;
  while (output.is_open()) {
    const std::size_t bytes = output.read_some(asio::buffer(output_buffer), error);
    if (error) break;
    take_output(bytes);
  }
  close_all();
  changed();
}

void GuardedProcess::State::close_all() {
  error_code ignored;
  control.close(ignored);
  output.close(ignored);
  reap_timer.cancel();
}

Result<std::unique_ptr<GuardedProcess>> GuardedProcess::start(
    asio::io_context& io, const std::filesystem::path& guard,
    const std::vector<std::string>& command, std::function<void()> on_change) {
  Result<Ends> control = make_control();
  if (!control) return std::unexpected(std::move(control.error()));
  Result<Ends> output = make_output();
  if (!output) return std::unexpected(std::move(output.error()));

  std::vector<std::string> words = {guard.string(), "engine-guard", "--"};
  words.insert(words.end(), command.begin(), command.end());
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  std::vector<char*> environment = engine_environment();

  SpawnPlan plan;
  int failed = plan.prepare(control->theirs.get(), output->theirs.get());
  auto state = std::make_shared<State>(io);
  state->on_change = std::move(on_change);
  if (failed == 0) {
    failed = plan.spawn(state->guard, guard.c_str(), arguments.data(), environment.data());
  }
  if (failed != 0) return system_failure(fmt::format("cannot start {}", guard.string()), failed);

  std::unique_ptr<GuardedProcess> process(new GuardedProcess(state));
  error_code error;
  state->control.assign(asio::local::stream_protocol(), control->ours.get(), error);
  if (!error) {
    control->ours.release();
    state->output.assign(output->ours.get(), error);
  }
  if (error) return system_failure("cannot watch the engine's guard", error.value());
  output->ours.release();
  state->output.non_blocking(true, error);
  state->read_control();
  state->read_output();
  return process;
}

GuardedProcess::GuardedProcess(std::shared_ptr<State> state) : state_(std::move(state)) {}

GuardedProcess::~GuardedProcess() {
  state_->on_change = nullptr;
  if (state_->guard != 0) {
    ::kill(-state_->guard, SIGKILL);
    // Blocks for as long as the kernel needs to end a process of a few pages: microseconds. The
    // program itself, whose memory may take longer to give back, is not waited for.
    while (waitpid(state_->guard, nullptr, 0) < 0 && errno == EINTR) {
    }
    state_->guard = 0;
  }
  state_->close_all();
}

int GuardedProcess::pid() const { return state_->program; }
bool GuardedProcess::running() const { return state_->guard != 0; }
std::optional<int> GuardedProcess::exit_status() const { return state_->exit_status; }
const std::string& GuardedProcess::output() const { return state_->kept; }

void GuardedProcess::ask_to_end() {
  error_code ignored;
  // Only our sending half: the receiving half tells us when the guard has ended.
  if (state_->control.is_open()) {
    state_->control.shutdown(asio::socket_base::shutdown_send, ignored);
  }
}

void GuardedProcess::kill() {
  if (state_->guard != 0) ::kill(-state_->guard, SIGKILL);
}

}  // namespace minimill::engine
