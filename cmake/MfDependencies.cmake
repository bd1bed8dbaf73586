# SPDX-License-Identifier: Apache-2.0
#
# Third-party libraries, each as PkgConfig::<NAME>. Only the library whose wrapper files include a header links it.
find_package(PkgConfig REQUIRED)
pkg_check_modules(EVENT REQUIRED IMPORTED_TARGET "libevent_core >= 2.1.12" "libevent_extra >= 2.1.12")
pkg_check_modules(RDKAFKA REQUIRED IMPORTED_TARGET "rdkafka >= 2.0.2")
pkg_check_modules(CURL REQUIRED IMPORTED_TARGET "libcurl >= 7.85")
pkg_check_modules(YAJL REQUIRED IMPORTED_TARGET "yajl >= 2.1.0")
pkg_check_modules(ODBC REQUIRED IMPORTED_TARGET "odbc >= 2.3.9")
pkg_check_modules(SYSTEMD REQUIRED IMPORTED_TARGET "libsystemd >= 247")
pkg_check_modules(CRYPTO REQUIRED IMPORTED_TARGET "libcrypto >= 3.0")
pkg_check_modules(XXHASH REQUIRED IMPORTED_TARGET "libxxhash >= 0.8.0")
if(MF_TESTS)
  pkg_check_modules(CMOCKA REQUIRED IMPORTED_TARGET "cmocka >= 1.1.5")
endif()
