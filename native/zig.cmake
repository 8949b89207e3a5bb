# Builds for another platform with zig's C++ compiler, the same bytes on every machine:
#
#   cmake -S native -B build -G Ninja --toolchain zig.cmake -DGAMMANET_TARGET=linux-arm64
#
# GAMMANET_ZIG in the environment names the compiler, else it is searched for on the path. Tests of
# linux-arm64 run under qemu-aarch64, those of windows-x86_64 under Wine, where these are installed.
set(CMAKE_TRY_COMPILE_PLATFORM_VARIABLES GAMMANET_TARGET)
set(ENV{ZIG_PROGRESS} 0)
if(GAMMANET_TARGET STREQUAL "linux-x86_64")
  set(CMAKE_SYSTEM_NAME Linux)
  set(CMAKE_SYSTEM_PROCESSOR x86_64)
  set(target x86_64-linux-gnu.2.28) # glibc: what PyTorch's own packages need
elseif(GAMMANET_TARGET STREQUAL "linux-arm64")
  set(CMAKE_SYSTEM_NAME Linux)
  set(CMAKE_SYSTEM_PROCESSOR aarch64)
  set(target aarch64-linux-gnu.2.28)
  set(emulator qemu-aarch64 -L /usr/aarch64-linux-gnu)
elseif(GAMMANET_TARGET STREQUAL "macosx-arm64")
  set(CMAKE_SYSTEM_NAME Darwin)
  set(CMAKE_SYSTEM_PROCESSOR arm64)
  set(target aarch64-macos.15.0) # the oldest on which LibTorch's artifact runs
  # CMake insists on this tool of Apple's, for an installation that there is none of here.
  set(CMAKE_INSTALL_NAME_TOOL ${CMAKE_COMMAND} CACHE FILEPATH "")
elseif(GAMMANET_TARGET STREQUAL "windows-x86_64")
  set(CMAKE_SYSTEM_NAME Windows)
  set(CMAKE_SYSTEM_PROCESSOR x86_64)
  set(target x86_64-windows-gnu)
  set(emulator wine64) # Debian's package of this name puts it where no path looks
else()
  message(FATAL_ERROR "GAMMANET_TARGET must be linux-x86_64, linux-arm64, macosx-arm64 or windows-x86_64")
endif()

find_program(GAMMANET_ZIG zig HINTS ENV GAMMANET_ZIG)
if(NOT "$ENV{GAMMANET_ZIG}" STREQUAL "")
  set(GAMMANET_ZIG $ENV{GAMMANET_ZIG})
endif()
set(CMAKE_CXX_COMPILER ${GAMMANET_ZIG} c++ -target ${target})
# No symbols for debuggers, and no path of this machine. All flags from CMake's first trial on, also for
# programs: zig compiles the C++ library once for each combination of them, which takes minutes.
set(CMAKE_CXX_FLAGS_INIT "-O3 -g0 -s -ffile-prefix-map=${CMAKE_CURRENT_LIST_DIR}=.")
if(CMAKE_SYSTEM_NAME STREQUAL "Linux")
  string(APPEND CMAKE_CXX_FLAGS_INIT " -fPIC")
endif()
if(emulator)
  list(GET emulator 0 program)
  find_program(GAMMANET_EMULATOR ${program} PATHS /usr/lib/wine)
  if(GAMMANET_EMULATOR)
    list(REMOVE_AT emulator 0)
    set(CMAKE_CROSSCOMPILING_EMULATOR ${GAMMANET_EMULATOR} ${emulator})
  endif()
endif()
