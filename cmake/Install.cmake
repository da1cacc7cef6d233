# What `cmake --install` installs beside the programs and what systemd reads, which their own folders name. Packages are made of
# exactly this (packaging/debian): a file that is missing here is missing everywhere.
set(POSTERN_COMPLETION_DIR ${CMAKE_INSTALL_DATADIR}/bash-completion/completions CACHE STRING "Where bash completion is installed")

file(GLOB man_pages CONFIGURE_DEPENDS docs/*.1 docs/*.5 docs/*.8)
foreach(page IN LISTS man_pages)
  string(REGEX MATCH "[0-9]$" section "${page}")
  install(FILES ${page} DESTINATION ${CMAKE_INSTALL_MANDIR}/man${section})
endforeach()

install(FILES README.md CHANGES.md DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(DIRECTORY docs DESTINATION ${CMAKE_INSTALL_DOCDIR} FILES_MATCHING PATTERN "*.md" PATTERN "*.png")   # in their folder: README.md links there
install(FILES packaging/postern.conf.example DESTINATION ${CMAKE_INSTALL_DOCDIR}/examples RENAME postern.conf)
foreach(example prometheus grafana)
  if(EXISTS ${PROJECT_SOURCE_DIR}/packaging/${example})
    install(DIRECTORY packaging/${example} DESTINATION ${CMAKE_INSTALL_DOCDIR}/examples PATTERN "*.test.*" EXCLUDE)
  endif()
endforeach()

if(EXISTS ${PROJECT_SOURCE_DIR}/packaging/completion/posternctl)
  install(FILES packaging/completion/posternctl DESTINATION ${POSTERN_COMPLETION_DIR})
endif()
