# Sanitizer builds read the headers that most sources include once for all of them, which takes a
# third off the time of the build. The release build does without: it finds a missing include.
if(NOT CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  return()
endif()

set(shared "")
foreach(header algorithm chrono cstdint filesystem functional map memory mutex optional set string
        thread utility variant vector absl/container/flat_hash_map.h absl/status/status.h
        absl/status/statusor.h absl/strings/str_cat.h absl/strings/str_format.h
        absl/strings/str_join.h absl/strings/str_split.h absl/time/time.h gmock/gmock.h
        gtest/gtest.h nlohmann/json.hpp)
  string(APPEND shared "#include <${header}>\n")
endforeach()
set(header ${CMAKE_BINARY_DIR}/sanitized_headers.h)
set(precompiled ${CMAKE_BINARY_DIR}/sanitized_headers.pch)
file(WRITE ${header} "${shared}")

string(TOUPPER "${CMAKE_BUILD_TYPE}" type)
separate_arguments(flags UNIX_COMMAND "${CMAKE_CXX_FLAGS} ${CMAKE_CXX_FLAGS_${type}}")
get_directory_property(options COMPILE_OPTIONS)
string(GENEX_STRIP "${options}" options)
execute_process(
  COMMAND ${CMAKE_CXX_COMPILER} -std=c++20 -fPIC ${flags} ${options} -ffp-contract=off
          -DGTEST_HAS_PTHREAD=1 -fpch-instantiate-templates -x c++-header ${header} -o ${precompiled}
  RESULT_VARIABLE failed)
if(failed)
  message(WARNING "the headers of tests/sanitized_headers.cmake do not compile: building without")
  return()
endif()
if(BATON_CCACHE)  # it names the headers by this sum, and keeps what was compiled with them
  execute_process(
    COMMAND ${CMAKE_CXX_COMPILER} -std=c++20 -DGTEST_HAS_PTHREAD=1 -E -P -x c++ ${header}
    OUTPUT_VARIABLE text ERROR_QUIET)
  string(SHA256 sum "${text}${flags}${options}${CMAKE_CXX_COMPILER_VERSION}")
  file(WRITE ${precompiled}.sum ${sum})
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env CCACHE_PCH_EXTSUM=1
      CCACHE_SLOPPINESS=pch_defines,time_macros ${BATON_CCACHE})
endif()
# Not validated: what a source is compiled with besides (-D of a library, -fPIE) changes none of
# these headers.
add_compile_options("$<$<COMPILE_LANGUAGE:CXX>:SHELL:-include-pch ${precompiled}>"
  "$<$<COMPILE_LANGUAGE:CXX>:SHELL:-Xclang -fno-validate-pch>")
