#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <iterator>

#include "replay/timeline.h"

namespace minimill::replay {
namespace {

constexpr double kWidth = 900;
constexpr double kHeight = 560;
constexpr double kLeft = 64;
constexpr double kRight = 20;
constexpr std::array<std::string_view, 6> kColours{"#8c8c8c", "#d9822b", "#1f6feb",
                                                   "#2e8540", "#a371f7", "#c0392b"};
constexpr std::array<std::string_view, chat::kLaneCount> kLaneColours{"#2e8540", "#1f6feb"};

std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '&':
        out += "&amp;";
        break;
      case '"':
        out += "&quot;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

/// A number that ends an axis well: 1, 2 or 5 times a power of ten.
double rounded_up(double most) {
  if (!(most > 0)) return 1;
  const double power = std::pow(10, std::floor(std::log10(most)));
  for (const double factor : {1.0, 2.0, 5.0}) {
    if (factor * power >= most) return factor * power;
  }
  return 10 * power;
}

/// "90 s", "12 min", "3.5 h".
std::string duration(double seconds) {
  constexpr double kMinute = 60;
  constexpr double kHour = 3600;
  if (seconds < 2 * kMinute) return fmt::format("{:.3g} s", seconds);
  if (seconds < 2 * kHour) return fmt::format("{:.3g} min", seconds / kMinute);
  return fmt::format("{:.3g} h", seconds / kHour);
}

/// One panel: axes, grid, and lines drawn into it.
class Panel {
 public:
  Panel(std::string& out, double top, double height, double most_x_s, double most_y,
        std::string_view label)
      : out_(out), top_(top), height_(height), most_x_(most_x_s), most_y_(rounded_up(most_y)) {
    constexpr int kLines = 4;
    for (int i = 0; i <= kLines; ++i) {
      const double value = most_y_ * i / kLines;
      append(R"(<line x1="{:.1f}" y1="{:.1f}" x2="{:.1f}" y2="{:.1f}" stroke="#ddd"/>)", kLeft,
             y(value), kWidth - kRight, y(value));
      append(R"(<text x="{:.1f}" y="{:.1f}" text-anchor="end">{:.3g}</text>)", kLeft - 6,
             y(value) + 4, value);
      const double at_s = most_x_ * i / kLines;
      append(R"(<text x="{:.1f}" y="{:.1f}" text-anchor="middle">{}</text>)", x(at_s),
             top_ + height_ + 16, duration(at_s));
    }
    append(R"(<text x="{:.1f}" y="{:.1f}" font-weight="bold">{}</text>)", kLeft, top_ - 8,
           escaped(label));
  }

  void line(const std::vector<double>& values, double step_s, std::string_view colour) {
    out_ += fmt::format(R"(<polyline fill="none" stroke-width="1.6" stroke="{}" points=")", colour);
    for (std::size_t i = 0; i < values.size(); ++i) {
      append("{:.1f},{:.1f} ", x((static_cast<double>(i) + 0.5) * step_s), y(values[i]));
    }
    out_ += "\"/>\n";
  }

  void legend(std::string_view name, std::string_view colour, std::size_t place) {
    const double at = kWidth - kRight - 130;
    const double row = top_ + 12 + 16 * static_cast<double>(place);
    append(R"(<rect x="{:.1f}" y="{:.1f}" width="14" height="4" fill="{}"/>)", at, row - 5, colour);
    append(R"(<text x="{:.1f}" y="{:.1f}">{}</text>)", at + 20, row, escaped(name));
    out_ += '\n';
  }

 private:
  template <class... Args>
  void append(fmt::format_string<Args...> format, Args&&... args) {
    fmt::format_to(std::back_inserter(out_), format, std::forward<Args>(args)...);
  }
  double x(double at_s) const { return kLeft + (kWidth - kLeft - kRight) * at_s / most_x_; }
  double y(double value) const { return top_ + height_ * (1 - std::min(value / most_y_, 1.0)); }

  std::string& out_;
  double top_;
  double height_;
  double most_x_;
  double most_y_;
};

double most_of(const std::vector<double>& values) {
  return values.empty() ? 0 : *std::ranges::max_element(values);
}

}  // namespace

std::string to_svg(std::string_view title, const std::vector<NamedTimeline>& compared) {
  std::string out = fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {0} {1}\" width=\"{0}\" "
      "height=\"{1}\" "
      "font-family=\"sans-serif\" font-size=\"12\" fill=\"#222\">\n"
      "<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n"
      "<text x=\"{2}\" y=\"24\" font-size=\"16\" font-weight=\"bold\">{3}</text>\n",
      kWidth, kHeight, kLeft, escaped(title));
  double most_age = 0;
  double span_s = 1e-6;
  for (const auto& [name, timeline] : compared) {
    most_age = std::max(most_age, most_of(timeline.queue_age_s));
    span_s = std::max(span_s, timeline.step_s * static_cast<double>(timeline.queue_age_s.size()));
  }
  Panel ages(out, 64, 220, span_s, most_age,
             "Queue age (s): mean over the tasks that arrived then");
  for (std::size_t i = 0; i < compared.size(); ++i) {
    const std::string_view colour = kColours[i % kColours.size()];
    ages.line(compared[i].timeline.queue_age_s, compared[i].timeline.step_s, colour);
    ages.legend(compared[i].name, colour, i);
  }
  if (!compared.empty()) {
    const auto& [name, timeline] = compared.back();
    double most = 0;
    for (const std::vector<double>& lane : timeline.running) most = std::max(most, most_of(lane));
    Panel lanes(out, 350, 160, span_s, most, fmt::format("Tasks in service: {}", name));
    for (const chat::Lane lane : {chat::Lane::kLocal, chat::Lane::kCloud}) {
      const auto index = static_cast<std::size_t>(chat::index(lane));
      lanes.line(timeline.running[index], timeline.step_s, kLaneColours[index]);
      lanes.legend(chat::name(lane), kLaneColours[index], index);
    }
  }
  out += "</svg>\n";
  return out;
}

}  // namespace minimill::replay
