#include "engine/backend.h"

namespace minimill::engine {

std::string_view name(EngineState state) {
  switch (state) {
    case EngineState::kStopped:
      return "stopped";
    case EngineState::kStarting:
      return "starting";
    case EngineState::kReady:
      return "ready";
    case EngineState::kFailed:
      return "failed";
  }
  return "unknown";
}

}  // namespace minimill::engine
