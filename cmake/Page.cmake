# minimill_page(OUTPUT): the web page (web/) built and put into a C++ source, compressed.
#
# npm and Vite build it where there is Node.js of at least the version that web/package.json asks for; elsewhere
# web/absent.html takes its place, and minimill is built all the same.
function(minimill_page output)
  set(folder ${CMAKE_SOURCE_DIR}/web)
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${folder}/src/* ${folder}/*.html ${folder}/*.json ${folder}/*.ts)
  list(FILTER sources EXCLUDE REGEX "/node_modules/")
  add_custom_command(
    OUTPUT ${output}
    COMMAND ${CMAKE_SOURCE_DIR}/scripts/build-page ${CMAKE_CURRENT_BINARY_DIR}/dist
    COMMAND ${CMAKE_COMMAND} -D DIST=${CMAKE_CURRENT_BINARY_DIR}/dist -D OUTPUT=${output}
      -P ${CMAKE_SOURCE_DIR}/cmake/EmbedPage.cmake
    DEPENDS ${sources} ${CMAKE_SOURCE_DIR}/scripts/build-page ${CMAKE_SOURCE_DIR}/cmake/EmbedPage.cmake
    COMMENT "Building the page" VERBATIM)
endfunction()
