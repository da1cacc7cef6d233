# One interface target carries the flags that all of Postern's own code is built with.
add_library(postern_flags INTERFACE)
target_include_directories(postern_flags INTERFACE ${PROJECT_SOURCE_DIR})
target_compile_definitions(postern_flags INTERFACE _GNU_SOURCE POSTERN_VERSION="${PROJECT_VERSION}")
target_compile_options(postern_flags INTERFACE
  -Wall -Wextra $<$<BOOL:${POSTERN_WERROR}>:-Werror> -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wformat=2 -Wundef -Wwrite-strings
  -Wpointer-arith -Wcast-qual -Wvla -Wswitch-enum -Wno-missing-field-initializers -Wno-format-zero-length
  -fno-common -fstack-protector-strong -fPIE)
target_link_options(postern_flags INTERFACE -pie -Wl,-z,relro,-z,now)

# Asserts stay in release builds: a daemon in an impossible state must stop, not carry on with people's mail.
target_compile_options(postern_flags INTERFACE -UNDEBUG)

if(POSTERN_SANITIZE_THREADS)
  target_compile_definitions(postern_flags INTERFACE POSTERN_SANITIZE=1)
  target_compile_options(postern_flags INTERFACE -fsanitize=thread -fno-omit-frame-pointer)
  target_link_options(postern_flags INTERFACE -fsanitize=thread)
elseif(POSTERN_SANITIZE)
  target_compile_definitions(postern_flags INTERFACE POSTERN_SANITIZE=1)
  # Overflow of what is cast from a float, and a float divided by zero, are no part of "undefined".
  set(sanitizers address,undefined,float-cast-overflow,float-divide-by-zero)
  if(NOT POSTERN_FUZZ)
    string(APPEND sanitizers ,pointer-compare,pointer-subtract)
    add_library(postern_sanitizers STATIC ${CMAKE_CURRENT_LIST_DIR}/sanitizers.c)
    target_link_libraries(postern_flags INTERFACE postern_sanitizers)
    target_link_options(postern_flags INTERFACE -Wl,-u,__asan_default_options)
  endif()
  target_compile_options(postern_flags INTERFACE -fsanitize=${sanitizers} -fno-sanitize-recover=all -fno-omit-frame-pointer)
  target_link_options(postern_flags INTERFACE -fsanitize=${sanitizers})
else()
  target_compile_options(postern_flags INTERFACE $<$<NOT:$<CONFIG:Debug>>:-D_FORTIFY_SOURCE=2>)
endif()
if(POSTERN_FUZZ)
  target_compile_options(postern_flags INTERFACE -fsanitize=fuzzer-no-link)
endif()
if(POSTERN_COVERAGE)
  configure_file(${PROJECT_SOURCE_DIR}/tests/coverage/assert.h.in ${CMAKE_BINARY_DIR}/include/assert.h COPYONLY)
  target_include_directories(postern_flags BEFORE INTERFACE ${CMAKE_BINARY_DIR}/include)
  # Counters lie in files that are mapped (%c), one for each program (%m), so that what is killed, ended by _exit() or locked up
  # in a sandbox is counted as well. The name is compiled in: workers have no environment.
  target_compile_options(postern_flags INTERFACE -fcoverage-mapping -mllvm -runtime-counter-relocation
    -fprofile-instr-generate=${CMAKE_BINARY_DIR}/profiles/%m%c.profraw)
  target_link_options(postern_flags INTERFACE -fprofile-instr-generate)
endif()

# What ships, and only that: developers' builds would gain nothing.
target_compile_options(postern_flags INTERFACE $<$<NOT:$<CONFIG:Debug>>:-fstack-clash-protection>)
# Marks where indirect calls and returns may land, for processors that check it: each architecture has a flag of its own or none.
include(CheckCCompilerFlag)
foreach(flag -fcf-protection -mbranch-protection=standard)
  string(MAKE_C_IDENTIFIER "POSTERN_HAS${flag}" has)
  check_c_compiler_flag(${flag} ${has})
  if(${has})
    target_compile_options(postern_flags INTERFACE $<$<NOT:$<CONFIG:Debug>>:${flag}>)
  endif()
endforeach()
# Where the tree lies must not change a byte of the programs.
target_compile_options(postern_flags INTERFACE $<$<NOT:$<CONFIG:Debug>>:-ffile-prefix-map=${PROJECT_SOURCE_DIR}/=>)
