# SPDX-License-Identifier: Apache-2.0
#
# cmake -DROOT=<folder> -DFILES=<a.sql;b.sql> -DOUT=<file.c> -P EmbedSql.cmake
# Writes the files, in the order given, as one C table; the bytes are copied exactly and NUL-terminated.
set(texts "")
set(rows "")
set(number 0)
foreach(file IN LISTS FILES)
  file(READ "${ROOT}/${file}" hex HEX)
  string(LENGTH "${hex}" length)
  math(EXPR length "${length} / 2")
  string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${hex}")
  string(APPEND texts "static const unsigned char text_${number}[] = {${bytes}0};\n")
  string(APPEND rows "    {\"${file}\", (const char *)text_${number}, ${length}},\n")
  math(EXPR number "${number} + 1")
endforeach()
file(WRITE "${OUT}" "// SPDX-License-Identifier: Apache-2.0
// Generated from sql/ by cmake/EmbedSql.cmake.
#include \"common/sql_text.h\"

${texts}
// The last row only ends the table, so that it exists when there are no texts.
const struct mf_sql_text mf_sql_table[] = {
${rows}    {0, 0, 0},
};
const size_t mf_sql_table_count = ${number};
")
