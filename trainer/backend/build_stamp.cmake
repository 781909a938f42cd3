# Writes BuildStamp() of plugin.h to OUTPUT: a digest of the FILES (a list with `,` between) and of
# the text SALT, which names the compiler and its options.
set(text "${SALT}")
string(REPLACE "," ";" files "${FILES}")
foreach(file IN LISTS files)
  file(SHA256 ${ROOT}/${file} digest)
  string(APPEND text "\n${file} ${digest}")
endforeach()
string(SHA256 stamp "${text}")
string(SUBSTRING ${stamp} 0 20 stamp)
file(CONFIGURE OUTPUT ${OUTPUT} @ONLY CONTENT [[
#include "trainer/backend/plugin.h"

const char* baton::trainer::BuildStamp() { return "@stamp@"; }
]])
