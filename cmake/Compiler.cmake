# What every target of ours is compiled with. Warnings are errors.
find_program(CCACHE ccache)
if(CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CCACHE})
endif()

add_library(minimill_options INTERFACE)
target_compile_options(minimill_options INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor -Woverloaded-virtual -Werror
  -fno-omit-frame-pointer)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # g++ 12 sees uninitialised and dangling reads in coroutine frames and in libstdc++'s own headers
  # where there are none (GCC bugs 105562, 106199); clang's build keeps both warnings on.
  target_compile_options(minimill_options INTERFACE
    -Wno-maybe-uninitialized -Wno-dangling-pointer -Wno-restrict -Wno-stringop-overflow -Wno-array-bounds -Wno-mismatched-new-delete
    -fcoroutines)
else()
  # libstdc++ 12 itself uses what C++23 has deprecated; g++ does not look into system headers.
  target_compile_options(minimill_options INTERFACE -Wno-deprecated-declarations)
endif()
if(MINIMILL_SANITIZE)
  target_compile_options(minimill_options INTERFACE -fsanitize=${MINIMILL_SANITIZE} -fno-sanitize-recover=all)
  target_link_options(minimill_options INTERFACE -fsanitize=${MINIMILL_SANITIZE})
endif()
if(CMAKE_BUILD_TYPE STREQUAL "Release")
  include(CheckIPOSupported)
  check_ipo_supported(RESULT ipo OUTPUT ipo_reason LANGUAGES CXX)
  set(CMAKE_INTERPROCEDURAL_OPTIMIZATION ${ipo})
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    # g++ 12 names what a coroutine's frame holds by a counter of the file: the same frame in two files
    # then looks like two types to the linker.
    target_link_options(minimill_options INTERFACE -Wno-odr)
  endif()
endif()
