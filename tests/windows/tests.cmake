# The tests of the Windows build: the contract and the Lua suites, one program at a time.
set(tests_dir ${CMAKE_SOURCE_DIR}/tests)

# Unit tests: of this folder, and those of other folders that need neither sockets nor processes.
# A machine without cmocka (a real Windows, say) does without them.
find_library(CMOCKA_LIBRARY NAMES cmocka)
set(unit_sources
    base/arena base/buf base/cells base/list base/slice base/slots base/utf8 api/httpapi_layout
    api/text binding/json binding/prefix binding/router_tree cli/globals
    cli/options windows/text)
if(NOT CMOCKA_LIBRARY)
  message(STATUS "cmocka is not here: no unit tests")
  set(unit_sources)
endif()
foreach(unit IN LISTS unit_sources)
  cmake_path(GET unit PARENT_PATH layer)
  string(REPLACE "/" "_" target ${unit}_test)
  add_executable(${target} ${tests_dir}/${unit}_test.c)
  set_target_properties(${target} PROPERTIES
                        RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests/${layer})
  target_include_directories(${target} PRIVATE ${tests_dir})
  target_compile_definitions(${target} PRIVATE ML_TEST_ROOT="${CMAKE_SOURCE_DIR}")
  target_link_libraries(${target} PRIVATE ${over_cli} ${set_engine} ml_flags ${lua_libraries}
                        ${CMOCKA_LIBRARY})
  add_test(NAME ${unit}_test COMMAND ${target} WORKING_DIRECTORY ${CMAKE_SOURCE_DIR})
  set_tests_properties(${unit}_test PROPERTIES LABELS ${layer} TIMEOUT 60)
endforeach()

# The contract tests see the contract alone; behind it stands the system's provider.
file(GLOB contract_sources CONFIGURE_DEPENDS ${tests_dir}/contract/*.c)
drop_other_platforms(contract_sources)
set(contract_shared ${contract_sources})
list(FILTER contract_sources INCLUDE REGEX "_contract\\.c$")
list(FILTER contract_shared EXCLUDE REGEX "_contract\\.c$")
add_library(ml_contract STATIC ${contract_shared})
target_link_libraries(ml_contract PUBLIC ml_flags)
target_include_directories(ml_contract PUBLIC ${tests_dir})
foreach(source IN LISTS contract_sources)
  cmake_path(GET source STEM name)
  add_executable(contract_${name} ${source})
  set_target_properties(contract_${name} PROPERTIES
                        RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests/contract)
  target_link_libraries(contract_${name} PRIVATE ml_contract ${set_engine} ml_flags)
  add_test(NAME contract/${name} COMMAND contract_${name} WORKING_DIRECTORY ${CMAKE_SOURCE_DIR})
  set_tests_properties(contract/${name} PROPERTIES LABELS contract TIMEOUT 240 RUN_SERIAL ON)
endforeach()

# Runs beside them all (wine_session.sh).
add_executable(pulse ${tests_dir}/windows/pulse.c)
set_target_properties(pulse PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests/bin)
target_link_libraries(pulse PRIVATE ${set_engine} ml_flags)

# The Lua tests run inside the program and start a client beside it.
add_executable(curl ${tests_dir}/windows/curl.c)
set_target_properties(curl PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests/bin)
target_link_libraries(curl PRIVATE ml_flags)
file(GLOB lua_scripts CONFIGURE_DEPENDS ${tests_dir}/lua/*_test.lua)
foreach(script IN LISTS lua_scripts)
  cmake_path(GET script STEM name)
  add_test(NAME lua/${name}
           COMMAND sh ${tests_dir}/windows/lua_test.sh $<TARGET_FILE:moonlatch>
                   $<TARGET_FILE_DIR:curl> ${script}
           WORKING_DIRECTORY ${CMAKE_SOURCE_DIR})
  set_tests_properties(lua/${name} PROPERTIES LABELS lua TIMEOUT 240 RUN_SERIAL ON)
endforeach()

# The program from outside: scripts of scripts/, Ctrl-C, what is refused.
add_test(NAME windows/program
         COMMAND sh ${tests_dir}/windows/program_test.sh $<TARGET_FILE:moonlatch>
         WORKING_DIRECTORY ${CMAKE_SOURCE_DIR})
set_tests_properties(windows/program PROPERTIES LABELS windows TIMEOUT 240 RUN_SERIAL ON)
