// Curves in a terminal. Pure.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace baton::client {

// One line of block characters, lowest value to highest; values that are not finite are left out.
std::string Sparkline(const std::vector<double>& values, size_t width);

// A plot of points (x, y) in braille dots with its axes, `width` x `height` characters. One line
// with the values where all points have the same x or the same y: there is no curve to see. "" when
// no point is finite.
std::string Plot(const std::string& title, const std::vector<std::pair<double, double>>& points,
                 size_t width, size_t height);

}  // namespace baton::client
