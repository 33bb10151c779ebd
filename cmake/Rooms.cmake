# minimill_room(NAME [LINKS rooms...] [LIBRARIES targets...] [GENERATED sources...])
#
# One static library per room from all *.cpp in its folder, one test binary from its *_test.cpp.
# A room's headers are on no include path but its own, build/rooms/NAME/NAME -> src/NAME, which only
# those who link the room get: including a room that is not in LINKS (or below one) does not compile.
function(minimill_room name)
  cmake_parse_arguments(ROOM "" "" "LINKS;LIBRARIES;TEST_LIBRARIES;GENERATED" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS *.cpp)
  set(tests ${sources})
  list(FILTER sources EXCLUDE REGEX "_test\\.cpp$")
  list(FILTER tests INCLUDE REGEX "_test\\.cpp$")
  list(APPEND sources ${ROOM_GENERATED})

  file(MAKE_DIRECTORY ${CMAKE_BINARY_DIR}/rooms/${name})
  file(CREATE_LINK ${CMAKE_CURRENT_SOURCE_DIR} ${CMAKE_BINARY_DIR}/rooms/${name}/${name} SYMBOLIC)

  set(visibility PUBLIC)
  if(sources)
    add_library(minimill_${name} STATIC ${sources})
    target_link_libraries(minimill_${name} PRIVATE minimill_options)
  else()
    set(visibility INTERFACE)
    add_library(minimill_${name} INTERFACE)
  endif()
  add_library(minimill::${name} ALIAS minimill_${name})
  target_include_directories(minimill_${name} ${visibility} ${CMAKE_BINARY_DIR}/rooms/${name})
  list(TRANSFORM ROOM_LINKS PREPEND minimill::)
  target_link_libraries(minimill_${name} ${visibility} ${ROOM_LINKS} ${ROOM_LIBRARIES})

  if(MINIMILL_TESTS AND tests)
    add_executable(minimill_${name}_test ${tests})
    target_link_libraries(minimill_${name}_test PRIVATE
      minimill_options minimill_${name} minimill_test_support GTest::gmock GTest::gtest_main ${ROOM_TEST_LIBRARIES})
    # In memory where there is such a folder: tests of what is stored need not wait for a disk.
    set(environment)
    if(EXISTS /dev/shm)
      set(environment ENVIRONMENT TMPDIR=/dev/shm)
    endif()
    gtest_discover_tests(minimill_${name}_test DISCOVERY_TIMEOUT 60 PROPERTIES TIMEOUT 120 ${environment})
  endif()
endfunction()
