# SPDX-License-Identifier: Apache-2.0
#
# The INTERFACE target mf_options carries every flag of our own, so a packager's CFLAGS and LDFLAGS stay untouched:
# ours are added to theirs. Each flag is probed; a compiler that lacks one builds without it.
include(CheckCCompilerFlag)
include(CheckLinkerFlag)
include(CheckPIESupported)

check_pie_supported(LANGUAGES C)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_C_STANDARD 11)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)

add_library(mf_options INTERFACE)
target_compile_definitions(mf_options INTERFACE _GNU_SOURCE=1)
target_include_directories(mf_options INTERFACE "${PROJECT_SOURCE_DIR}")

# mf_probe_compile(<out> <flag>): appends the flag to the list <out> if the compiler knows it. -Werror and -Wformat
# are set during the probe because clang only warns about unknown flags and -Wformat-security needs -Wformat.
function(mf_probe_compile out flag)
  string(MAKE_C_IDENTIFIER "MF_HAS${flag}" name)
  set(CMAKE_REQUIRED_FLAGS "-Werror -Wformat")
  set(CMAKE_REQUIRED_QUIET ON)
  check_c_compiler_flag("${flag}" ${name})
  if(${name})
    set(${out} ${${out}} "${flag}" PARENT_SCOPE)
  endif()
endfunction()

function(mf_probe_link out flag)
  string(MAKE_C_IDENTIFIER "MF_LINKS${flag}" name)
  set(CMAKE_REQUIRED_QUIET ON)
  check_linker_flag(C "${flag}" ${name})
  if(${name})
    set(${out} ${${out}} "${flag}" PARENT_SCOPE)
  endif()
endfunction()

# Always: asserts stay on in every build type, and a multiply-add is never contracted, because the processor's
# numbers must come out the same bytes on every machine.
target_compile_options(mf_options INTERFACE -UNDEBUG -ffp-contract=off)

set(warnings)
foreach(flag IN ITEMS
    -Wall -Wextra -Wformat=2 -Wconversion -Wsign-conversion -Wimplicit-fallthrough -Wtrampolines
    -Wbidi-chars=any -Wshadow -Wundef -Wvla -Wpointer-arith -Wwrite-strings -Wstrict-prototypes
    -Wmissing-prototypes
    -Werror=format-security -Werror=implicit -Werror=incompatible-pointer-types -Werror=int-conversion)
  mf_probe_compile(warnings ${flag})
endforeach()
if(CMAKE_C_COMPILER_ID MATCHES Clang)
  list(APPEND warnings -Wno-string-conversion) # assert(!"what cannot be")
endif()
if(MF_WERROR)
  list(APPEND warnings -Werror)
endif()
target_compile_options(mf_options INTERFACE ${warnings})

# Hardening, for the build types that are shipped. Sanitizers bring their own checks and do not mix with FORTIFY.
set(hardening)
foreach(flag IN ITEMS
    -fstack-protector-strong -fstack-clash-protection -ftrivial-auto-var-init=zero
    -fno-delete-null-pointer-checks -fno-strict-overflow -fno-strict-aliasing -fexceptions
    -fcf-protection=full -fstrict-flex-arrays=3 -fzero-init-padding-bits=all)
  mf_probe_compile(hardening ${flag})
endforeach()
if(MF_SANITIZE STREQUAL none)
  # One probe for the pair: a distribution's compiler may predefine another level, which must be undefined first.
  set(CMAKE_REQUIRED_FLAGS "-Werror -O2 -U_FORTIFY_SOURCE")
  check_c_compiler_flag(-D_FORTIFY_SOURCE=3 MF_HAS_FORTIFY_3)
  unset(CMAKE_REQUIRED_FLAGS)
  if(MF_HAS_FORTIFY_3)
    list(APPEND hardening -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3)
  endif()
endif()
set(hardening_link)
foreach(flag IN ITEMS
    LINKER:-z,relro LINKER:-z,now LINKER:-z,noexecstack LINKER:-z,separate-code LINKER:-z,nodlopen
    LINKER:--as-needed LINKER:--no-copy-dt-needed-entries)
  mf_probe_link(hardening_link ${flag})
endforeach()
set(mf_shipped "$<CONFIG:Release,RelWithDebInfo,MinSizeRel>")
# No path of the building machine in what is shipped: builds in two directories give the same bytes.
# The last map that fits wins, so a build folder inside the tree reads the same as one beside it.
foreach(map IN ITEMS "${PROJECT_SOURCE_DIR}=." "${PROJECT_BINARY_DIR}=build")
  mf_probe_compile(hardening "-ffile-prefix-map=${map}")
endforeach()
target_compile_options(mf_options INTERFACE "$<${mf_shipped}:${hardening}>")
target_link_options(mf_options INTERFACE "$<${mf_shipped}:${hardening_link}>")

set(instrument)
if(MF_SANITIZE STREQUAL asan)
  list(APPEND instrument -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer)
elseif(MF_SANITIZE STREQUAL tsan)
  list(APPEND instrument -fsanitize=thread -fno-omit-frame-pointer)
elseif(NOT MF_SANITIZE STREQUAL none)
  message(FATAL_ERROR "MF_SANITIZE must be none, asan or tsan, not '${MF_SANITIZE}'")
endif()
if(MF_COVERAGE)
  list(APPEND instrument --coverage -fprofile-update=atomic)
endif()
if(MF_FUZZ)
  if(NOT CMAKE_C_COMPILER_ID MATCHES Clang)
    message(FATAL_ERROR "MF_FUZZ needs clang (libFuzzer); use the preset fuzz")
  endif()
  list(APPEND instrument -fsanitize=fuzzer-no-link)
endif()
target_compile_options(mf_options INTERFACE ${instrument})
target_link_options(mf_options INTERFACE ${instrument})
