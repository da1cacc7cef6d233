# Makes a C file of the files that the web page serves: cmake -DOUT=FILE -DFILES=a,b -P embed.cmake
#
# The same files make the same C file wherever they are: only names, contents and digests are in it.
set(type_css "text/css; charset=utf-8")
set(type_js "text/javascript; charset=utf-8")
set(type_svg "image/svg+xml")
set(table "")
set(arrays "")
set(number 0)
string(REPLACE "," ";" names "${FILES}")
foreach(name IN LISTS names)
  set(path "${CMAKE_CURRENT_LIST_DIR}/${name}")
  string(REGEX REPLACE ".*\\." "" extension "${name}")
  if(NOT DEFINED type_${extension})
    message(FATAL_ERROR "${name}: of what media type are files with this extension?")
  endif()
  file(READ "${path}" content HEX)
  file(SHA256 "${path}" digest)
  string(SUBSTRING "${digest}" 0 16 digest)
  string(LENGTH "${content}" len)
  math(EXPR len "${len} / 2")
  string(REGEX REPLACE "(................................)" "\\1\n" content "${content}")
  string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," content "${content}")
  string(APPEND arrays "static const unsigned char file_${number}[] = {\n${content}\n};\n")
  string(APPEND table "    { \"${name}\", \"${type_${extension}}\", file_${number}, ${len}, \"${digest}\" },\n")
  math(EXPR number "${number} + 1")
endforeach()
file(WRITE "${OUT}" "/* Made by gateway/ui/embed.cmake of the files in gateway/ui/. */
#include \"gateway/web.h\"

#include <string.h>

${arrays}
static const struct web_static files[] = {
${table}};

const struct web_static *web_static_find(const char *name)
{
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++)
        if (strcmp(name, files[i].name) == 0)
            return &files[i];
    return NULL;
}
")
