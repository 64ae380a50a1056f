# The compiler of the ziglang package: Clang, with the C and C++ libraries of the systems it builds for, so that neither
# a container nor the system itself is needed. Asked for by CMAKE_TOOLCHAIN_FILE, and by the environment variables
# SOFTGRAD_ZIG, the program, and SOFTGRAD_ZIG_TARGET, as in x86_64-linux-gnu.2.28.
foreach(variable SOFTGRAD_ZIG SOFTGRAD_ZIG_TARGET)
  if("$ENV{${variable}}" STREQUAL "")
    message(FATAL_ERROR "zig.cmake needs the environment variable ${variable}")
  endif()
endforeach()

file(TO_CMAKE_PATH "$ENV{SOFTGRAD_ZIG}" zig)
set(target "$ENV{SOFTGRAD_ZIG_TARGET}")
if(NOT target MATCHES "^(x86_64|aarch64)-(linux|macos|windows)")
  message(FATAL_ERROR "SOFTGRAD_ZIG_TARGET is '${target}'; it must begin with x86_64 or aarch64, -, linux, macos or windows")
endif()
set(CMAKE_SYSTEM_PROCESSOR ${CMAKE_MATCH_1})
string(REPLACE linux Linux system ${CMAKE_MATCH_2})
string(REPLACE macos Darwin system ${system})
string(REPLACE windows Windows CMAKE_SYSTEM_NAME ${system})

set(CMAKE_CXX_COMPILER "${zig}" c++ -target ${target})
# A system's own archiver may not know the objects of another.
set(CMAKE_CXX_ARCHIVE_CREATE "\"${zig}\" ar rcs <TARGET> <OBJECTS>")
set(CMAKE_CXX_ARCHIVE_FINISH "")
