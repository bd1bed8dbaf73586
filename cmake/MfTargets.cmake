# SPDX-License-Identifier: Apache-2.0

# mf_library(<name> [PATTERNS <glob>...] [EXCLUDE <regex>...] [SOURCES <file>...] [LINK_PUBLIC ...] [LINK_PRIVATE ...])
#
# A static library of the files of this folder that match a pattern: a new file joins by its name, and the build
# notices it by itself. A library none of whose files exists is an empty interface library.
function(mf_library name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "PATTERNS;EXCLUDE;SOURCES;LINK_PUBLIC;LINK_PRIVATE")
  file(GLOB files CONFIGURE_DEPENDS RELATIVE "${CMAKE_CURRENT_SOURCE_DIR}" ${arg_PATTERNS})
  foreach(regex IN LISTS arg_EXCLUDE)
    list(FILTER files EXCLUDE REGEX "${regex}")
  endforeach()
  list(APPEND files ${arg_SOURCES})
  if(files)
    add_library(${name} STATIC ${files})
    target_link_libraries(${name} PUBLIC mf_options ${arg_LINK_PUBLIC} PRIVATE ${arg_LINK_PRIVATE})
  else()
    add_library(${name} INTERFACE)
    target_link_libraries(${name} INTERFACE mf_options ${arg_LINK_PUBLIC})
  endif()
endfunction()

# mf_executable(<name> <file>...): an executable with our flags and, in a sanitized build, with our sanitizer options.
function(mf_executable name)
  add_executable(${name} ${ARGN})
  target_link_libraries(${name} PRIVATE mf_options)
  if(NOT MF_SANITIZE STREQUAL none)
    target_sources(${name} PRIVATE "${PROJECT_SOURCE_DIR}/cmake/sanitizer_options.c")
  endif()
  if(MF_SANITIZE STREQUAL tsan)
    target_sources(${name} PRIVATE "${PROJECT_SOURCE_DIR}/cmake/tsan_threads.c")
  endif()
endfunction()

# mf_program(<binary> [LINK <library>...]): the executable of this folder's main.c.
function(mf_program name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "LINK")
  file(GLOB main CONFIGURE_DEPENDS "${CMAKE_CURRENT_SOURCE_DIR}/main.c")
  if(main)
    mf_executable(${name} main.c)
    target_link_libraries(${name} PRIVATE ${arg_LINK})
    set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/bin")
    install(TARGETS ${name} RUNTIME DESTINATION "${CMAKE_INSTALL_SBINDIR}")
  endif()
endfunction()

# mf_embed_sql(<out variable> <folder>...): a generated C file with every *.sql of the folders below sql/ as a table
# of texts (declared in common/sql_text.h). Sets <out variable> to its path.
function(mf_embed_sql out)
  set(globs)
  foreach(folder IN LISTS ARGN)
    list(APPEND globs "${PROJECT_SOURCE_DIR}/sql/${folder}/*.sql")
  endforeach()
  file(GLOB files CONFIGURE_DEPENDS RELATIVE "${PROJECT_SOURCE_DIR}/sql" ${globs})
  list(SORT files)
  set(paths ${files})
  list(TRANSFORM paths PREPEND "${PROJECT_SOURCE_DIR}/sql/")
  set(result "${CMAKE_CURRENT_BINARY_DIR}/sql_table.c")
  set(script "${PROJECT_SOURCE_DIR}/cmake/EmbedSql.cmake")
  add_custom_command(
    OUTPUT "${result}"
    COMMAND "${CMAKE_COMMAND}" "-DROOT=${PROJECT_SOURCE_DIR}/sql" "-DFILES=${files}" "-DOUT=${result}" -P "${script}"
    DEPENDS ${paths} "${script}"
    COMMENT "Embedding SQL texts"
    VERBATIM)
  set(${out} "${result}" PARENT_SCOPE)
endfunction()
