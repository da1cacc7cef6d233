# One interface target carries the flags that all of Postern's own code is built with.
add_library(postern_flags INTERFACE)
target_include_directories(postern_flags INTERFACE ${PROJECT_SOURCE_DIR})
target_compile_definitions(postern_flags INTERFACE _GNU_SOURCE POSTERN_VERSION="${PROJECT_VERSION}")
target_compile_options(postern_flags INTERFACE
  -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wformat=2 -Wundef -Wwrite-strings
  -Wpointer-arith -Wcast-qual -Wvla -Wswitch-enum -Wno-missing-field-initializers -Wno-format-zero-length
  -fno-common -fstack-protector-strong -fPIE)
target_link_options(postern_flags INTERFACE -pie -Wl,-z,relro,-z,now)

# Asserts stay in release builds: a daemon in an impossible state must stop, not carry on with people's mail.
target_compile_options(postern_flags INTERFACE -UNDEBUG)

if(POSTERN_SANITIZE)
  target_compile_definitions(postern_flags INTERFACE POSTERN_SANITIZE=1)
  target_compile_options(postern_flags INTERFACE -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer)
  target_link_options(postern_flags INTERFACE -fsanitize=address,undefined)
else()
  target_compile_options(postern_flags INTERFACE $<$<NOT:$<CONFIG:Debug>>:-D_FORTIFY_SOURCE=2>)
endif()
if(POSTERN_FUZZ)
  target_compile_options(postern_flags INTERFACE -fsanitize=fuzzer-no-link)
endif()
