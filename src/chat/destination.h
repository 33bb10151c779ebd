#pragma once

// Whose machine a backend is on: what may be sent there depends on it.

#include <string_view>

namespace minimill::chat {

enum class Destination {
  kDevice,  // this machine
  kHouse,   // a machine that this one's owner trusts
  kCloud,   // anybody else's
};

constexpr std::string_view name(Destination destination) {
  switch (destination) {
    case Destination::kDevice:
      return "device";
    case Destination::kHouse:
      return "house";
    case Destination::kCloud:
      break;
  }
  return "cloud";
}

}  // namespace minimill::chat
