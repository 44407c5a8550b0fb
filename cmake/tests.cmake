# Tests: one CTest entry a file, named and labelled by folder. See the table in CMakeLists.txt.
pkg_check_modules(CMOCKA REQUIRED IMPORTED_TARGET cmocka)

set(tests_dir ${CMAKE_SOURCE_DIR}/tests)
set(sanitizer_environment
    "ASAN_OPTIONS=detect_leaks=1:detect_stack_use_after_return=1:strict_string_checks=1"
    "UBSAN_OPTIONS=print_stacktrace=1" "TSAN_OPTIONS=halt_on_error=1:second_deadlock_stack=1")
set(program_environment "")
if(TARGET moonlatch)
  set(program_environment "MOONLATCH=$<TARGET_FILE:moonlatch>")
endif()

# What `./dev test` builds of the other presets: tests where threads meet; tests of the program.
add_custom_target(threaded_tests)
add_custom_target(program_tests)
if(TARGET moonlatch)
  add_dependencies(program_tests moonlatch)
endif()

# Registers `command...` as the test <label>/<name>; `file` is asked for its time limit.
function(register_test label name file)
  add_test(NAME ${label}/${name} COMMAND ${ARGN} WORKING_DIRECTORY ${CMAKE_SOURCE_DIR})
  set(timeout 120)
  if(label STREQUAL "checks")
    set(timeout 300)
  endif()
  file(STRINGS ${file} lines REGEX "ctest-timeout: *[0-9]+" LIMIT_COUNT 1)
  if(lines MATCHES "ctest-timeout: *([0-9]+)")
    set(timeout ${CMAKE_MATCH_1})
  endif()
  set_tests_properties(${label}/${name} PROPERTIES LABELS ${label} TIMEOUT ${timeout}
                       SKIP_RETURN_CODE 77
                       ENVIRONMENT "${sanitizer_environment};${program_environment}")
endfunction()

# Helpers every test may use. A static library: a test links only what it calls.
file(GLOB support_sources CONFIGURE_DEPENDS ${tests_dir}/support/*.c)
set(fake_sources ${support_sources})
list(FILTER support_sources EXCLUDE REGEX "/fake_[^/]*\\.c$")
list(FILTER fake_sources INCLUDE REGEX "/fake_[^/]*\\.c$")
list(FILTER support_sources EXCLUDE REGEX "/test_loop\\.c$")
set(support)
set(fake)
foreach(kind support fake)
  if(${kind}_sources)
    add_library(ml_test_${kind} STATIC ${${kind}_sources})
    target_link_libraries(ml_test_${kind} PUBLIC ml_flags ${lua_libraries} PkgConfig::CMOCKA)
    target_include_directories(ml_test_${kind} PUBLIC ${tests_dir})
    set(${kind} ml_test_${kind})
  endif()
endforeach()

# Lets a test choose the back end of its loops, in the place of the library's own choice.
add_library(ml_test_loop OBJECT ${tests_dir}/support/test_loop.c)
target_link_libraries(ml_test_loop PUBLIC ml_flags)

# Tests that run once more on the other back end: where sockets meet loops, and where other threads
# do (ThreadSanitizer); of what ships, the program. Unit tests run on epoll first, the program on
# what it takes by itself, which is io_uring.
set(other_loop io_uring)
set(tests_on_both_loops "^(net/loop_(test|io_test|thread_test|oom_test)\
|engine/(conn|engine_oom|limits|load|loops|loops_end)_test\
|contract/(body|connection|loop|receive|send|stream|url)_contract)$")
if(ML_SANITIZE MATCHES "thread")
  set(tests_on_both_loops "^(net/loop_thread_test|engine/loops_(end_)?test)$")
elseif(CMAKE_BUILD_TYPE STREQUAL "RelWithDebInfo")
  set(other_loop epoll)
  set(tests_on_both_loops "^(e2e/(hello|load|upload)_test|lua/(requests|tasks)_test)$")
endif()
function(register_test_on_other_loop label name file)
  if("${label}/${name}" MATCHES "${tests_on_both_loops}")
    register_test(${label} ${name}@${other_loop} ${file} ${ARGN})
    set_property(TEST ${label}/${name}@${other_loop} APPEND PROPERTY
                 ENVIRONMENT "MOONLATCH_TEST_LOOP=${other_loop}")
  endif()
endfunction()

# add_test_executable(target folder LIBRARIES... SOURCES...): one program; the libraries may refer
# to each other (the wrapped malloc lives in support, its callers in the layers).
function(add_test_executable target folder)
  cmake_parse_arguments(arg "" "" "SOURCES;LIBRARIES" ${ARGN})
  add_executable(${target} ${arg_SOURCES})
  set_target_properties(${target} PROPERTIES
                        RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests/${folder})
  target_include_directories(${target} PRIVATE ${tests_dir})
  target_compile_definitions(${target} PRIVATE ML_TEST_ROOT="${CMAKE_SOURCE_DIR}")
  set(libraries ${support} ${arg_LIBRARIES})
  if(libraries)
    list(JOIN libraries "," joined)
    target_link_libraries(${target} PRIVATE "$<LINK_GROUP:RESCAN,${joined}>")
  endif()
  target_link_libraries(${target} PRIVATE ml_flags PkgConfig::CMOCKA ${lua_libraries} m)
  if(folder MATCHES "^(net|engine|runtime|contract)$")
    add_dependencies(threaded_tests ${target})
  elseif(folder STREQUAL "e2e")
    add_dependencies(program_tests ${target})
  endif()
  if(folder MATCHES "^(net|engine|contract)$" AND NOT target STREQUAL "net_loop_uring_test")
    target_sources(${target} PRIVATE $<TARGET_OBJECTS:ml_test_loop>)
  endif()
  if(target MATCHES "_oom_test$")
    target_link_options(${target} PRIVATE -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc)
  endif()
endfunction()

foreach(layer base protocol net engine api binding runtime cli)
  file(GLOB sources CONFIGURE_DEPENDS ${tests_dir}/${layer}/*_test.c)
  drop_other_platforms(sources)
  if(ML_SANITIZE MATCHES "thread")
    # ThreadSanitizer holds a signal back until the next system call; the guard needs it at once.
    list(FILTER sources EXCLUDE REGEX "/guard_test\\.c$")
  endif()
  foreach(source IN LISTS sources)
    cmake_path(GET source STEM name)
    set(libraries ${set_${layer}})
    if(name MATCHES "_fake_test$")
      existing_targets(fake_base ml_base)
      set(libraries ${over_${layer}} ${fake} ${fake_base})
    endif()
    add_test_executable(${layer}_${name} ${layer} SOURCES ${source} LIBRARIES ${libraries})
    register_test(${layer} ${name} ${source} ${layer}_${name})
    register_test_on_other_loop(${layer} ${name} ${source} ${layer}_${name})
  endforeach()
endforeach()

# The contract tests see the contract alone; behind it stands the engine.
file(GLOB contract_sources CONFIGURE_DEPENDS ${tests_dir}/contract/*.c)
drop_other_platforms(contract_sources)
set(contract_shared ${contract_sources})
list(FILTER contract_sources INCLUDE REGEX "_contract\\.c$")
list(FILTER contract_shared EXCLUDE REGEX "_contract\\.c$")
foreach(source IN LISTS contract_sources)
  cmake_path(GET source STEM name)
  add_test_executable(contract_${name} contract SOURCES ${source} ${contract_shared}
                      LIBRARIES ${set_engine})
  register_test(contract ${name} ${source} contract_${name})
  register_test_on_other_loop(contract ${name} ${source} contract_${name})
endforeach()

# End to end: programs and shell scripts that start the executable themselves.
file(GLOB_RECURSE e2e_sources CONFIGURE_DEPENDS ${tests_dir}/e2e/*_test.c)
foreach(source IN LISTS e2e_sources)
  cmake_path(GET source STEM name)
  add_test_executable(e2e_${name} e2e SOURCES ${source} LIBRARIES ${set_engine})
  register_test(e2e ${name} ${source} e2e_${name})
endforeach()
if(TARGET moonlatch)
  file(GLOB e2e_scripts CONFIGURE_DEPENDS ${tests_dir}/e2e/*_test.sh)
  foreach(script IN LISTS e2e_scripts)
    cmake_path(GET script STEM name)
    register_test(e2e ${name} ${script} sh ${script})
    register_test_on_other_loop(e2e ${name} ${script} sh ${script})
  endforeach()
  file(GLOB lua_scripts CONFIGURE_DEPENDS ${tests_dir}/lua/*_test.lua)
  foreach(script IN LISTS lua_scripts)
    cmake_path(GET script STEM name)
    register_test(lua ${name} ${script} sh ${tests_dir}/lua/run.sh ${script})
    register_test_on_other_loop(lua ${name} ${script} sh ${tests_dir}/lua/run.sh ${script})
  endforeach()
endif()

# Instructions a request: of what ships, as no other build has the figures that are recorded.
if(TARGET moonlatch AND CMAKE_BUILD_TYPE STREQUAL "RelWithDebInfo" AND NOT ML_SANITIZE)
  add_executable(bench_steady ${tests_dir}/bench/steady.c)
  target_link_libraries(bench_steady PRIVATE ml_flags)
  add_dependencies(program_tests bench_steady)
  register_test(bench smoke ${tests_dir}/bench/smoke_test.sh sh ${tests_dir}/bench/smoke_test.sh)
  add_executable(bench_reload ${tests_dir}/bench/reload.c)
  add_library(bench_live SHARED EXCLUDE_FROM_ALL ${tests_dir}/bench/live.c)
  target_link_libraries(bench_reload PRIVATE ml_flags)
  target_link_libraries(bench_live PRIVATE ml_flags)
  add_dependencies(program_tests bench_reload bench_live)
  register_test(bench instructions ${tests_dir}/bench/instructions.sh
                sh ${tests_dir}/bench/instructions.sh $<TARGET_FILE:bench_steady>
                "${CMAKE_C_COMPILER_ID} ${CMAKE_C_COMPILER_VERSION} ${CMAKE_SYSTEM_PROCESSOR} \
Lua ${LUA_VERSION}")
endif()

# Without libFuzzer each corpus is still read once, as a regression test.
if(NOT ML_FUZZ)
  foreach(source IN LISTS fuzz_sources)
    cmake_path(GET source STEM name)
    string(REGEX REPLACE "_fuzz$" "" subject ${name})
    add_test_executable(replay_${name} fuzz SOURCES ${source} ${tests_dir}/checks/replay.c
                        LIBRARIES ${set_engine})
    register_test(fuzz ${subject} ${source} replay_${name} ${tests_dir}/fuzz/corpus/${subject})
  endforeach()
endif()

# Checks of the text itself; the ones that take a while are one test each.
file(GLOB check_scripts CONFIGURE_DEPENDS ${tests_dir}/checks/*_check.sh)
foreach(script IN LISTS check_scripts)
  cmake_path(GET script STEM name)
  register_test(checks ${name} ${script} sh ${script})
endforeach()
