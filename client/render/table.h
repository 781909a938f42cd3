// Columns of text, as wide as their widest cell. Pure.
#pragma once

#include <string>
#include <vector>

namespace baton::client {

// The first row is the head. Cells are UTF-8; escape sequences do not count as width.
std::string Table(const std::vector<std::vector<std::string>>& rows);

// Columns that a terminal needs for the text.
size_t DisplayWidth(const std::string& text);

}  // namespace baton::client
