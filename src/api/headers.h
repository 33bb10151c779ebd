#pragma once

// minimill's own HTTP headers, each once: what reads and writes them takes its name from here, and
// GET /openapi.json says what stands here. docs/api.md tells users the same.

#include <array>
#include <string_view>

namespace minimill::api {

struct HeaderAbout {
  std::string_view name;
  std::string_view of_request;  // what it says there; empty: nothing is read
  std::string_view of_answer;   // the same of an answer
};

namespace header {
inline constexpr char kPrivacy[] = "x-minimill-privacy";
inline constexpr char kMaxCost[] = "x-minimill-max-cost";
inline constexpr char kDeadline[] = "x-minimill-deadline-ms";
inline constexpr char kDegraded[] = "x-minimill-degraded";
inline constexpr char kLabel[] = "x-minimill-trace";
inline constexpr char kRequestId[] = "x-minimill-request-id";
inline constexpr char kLane[] = "x-minimill-lane";
inline constexpr char kModel[] = "x-minimill-model";
inline constexpr char kReason[] = "x-minimill-reason";
inline constexpr char kProbability[] = "x-minimill-probability";
inline constexpr char kCost[] = "x-minimill-cost";
inline constexpr char kQueued[] = "x-minimill-queued-ms";
inline constexpr char kEmulated[] = "x-minimill-emulated";
inline constexpr char kLeftOut[] = "x-minimill-left-out";
inline constexpr char kNotStored[] = "x-minimill-not-stored";
}  // namespace header

inline constexpr std::array kHeaders{
    HeaderAbout{header::kPrivacy, "local-only or allow: may the request leave the device?", ""},
    HeaderAbout{header::kMaxCost, "USD the answer may cost, estimated before", ""},
    HeaderAbout{header::kDeadline, "after so many milliseconds nobody needs the answer", ""},
    HeaderAbout{header::kDegraded,
                "accept or refuse the device's answer to hard work where the cloud is out of reach",
                "that it is such an answer, and why"},
    HeaderAbout{header::kLabel, "the app's own name for what this belongs to", ""},
    HeaderAbout{header::kRequestId, "", "asked for by `minimill why` and POST /v1/feedback"},
    HeaderAbout{header::kLane, "", "local or cloud: who answered"},
    HeaderAbout{header::kModel, "", "the model that answered"},
    HeaderAbout{header::kReason, "", "why"},
    HeaderAbout{header::kProbability, "", "of a good answer by the device, estimated before"},
    HeaderAbout{header::kCost, "", "USD; not on streams, which have it in the ledger"},
    HeaderAbout{header::kQueued, "", "how long it waited for its turn"},
    HeaderAbout{header::kEmulated, "", "fields that minimill did in the backend's place"},
    HeaderAbout{header::kLeftOut, "", "fields that the backend knows nothing like"},
    HeaderAbout{header::kNotStored, "", "why a response that was to be kept could not be"},
};

}  // namespace minimill::api
