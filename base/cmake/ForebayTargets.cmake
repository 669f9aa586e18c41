# Layers, programs and unit tests.
#
# A layer is one folder and one static library. Its include path holds one
# symbolic link for each layer that it may see and nothing else, so an include
# that runs up or sideways does not compile. Sources and headers are whatever
# stands in the folder.

# fb_layer(NAME base/core USES other_layer... LINKS foreign_target...)
function(fb_layer name dir)
    cmake_parse_arguments(ARG "" "" "USES;LINKS" ${ARGN})
    file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/${dir}/*.c)
    list(FILTER sources EXCLUDE REGEX "/main(_[a-z]+)?\\.c$")
    set(view ${CMAKE_BINARY_DIR}/view/${name})
    cmake_path(GET dir PARENT_PATH parent)
    file(MAKE_DIRECTORY ${view}/${parent})
    file(CREATE_LINK ${CMAKE_SOURCE_DIR}/${dir} ${view}/${dir} SYMBOLIC)
    file(GLOB headers CONFIGURE_DEPENDS ${view}/${dir}/*.h)
    if(NOT sources)
        # A layer of headers alone still needs one object to be an archive.
        file(CONFIGURE OUTPUT ${CMAKE_BINARY_DIR}/${name}_empty.c
             CONTENT "typedef int ${name}_empty;\n")
        set(sources ${CMAKE_BINARY_DIR}/${name}_empty.c)
    endif()
    add_library(${name} STATIC ${sources})
    target_sources(${name} PUBLIC FILE_SET HEADERS BASE_DIRS ${view} FILES ${headers})
    target_link_libraries(${name} PRIVATE fb_flags ${ARG_LINKS} PUBLIC ${ARG_USES})
    target_compile_options(${name} PUBLIC
        -ffile-prefix-map=${view}/= -ffile-prefix-map=${CMAKE_SOURCE_DIR}/=)
    set_property(GLOBAL APPEND_STRING PROPERTY fb_layers "${name} ${dir} ${ARG_USES}\n")
    set_property(GLOBAL APPEND PROPERTY fb_layer_names ${name})
    set_property(GLOBAL PROPERTY fb_dir_${name} ${dir})
endfunction()

# fb_program(forebay-edge SOURCE edge/main.c USES layers...)
function(fb_program name)
    cmake_parse_arguments(ARG "" "SOURCE" "USES" ${ARGN})
    add_executable(${name} ${CMAKE_SOURCE_DIR}/${ARG_SOURCE})
    target_link_libraries(${name} PRIVATE fb_flags ${ARG_USES})
    set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR})
endfunction()

# Whether a test begins threads, by itself or by what it tests: it includes one of these, or a
# fixture beside it does.
set(FB_WITH_THREADS "pthread|base/loop/(file_reader|thread|work)|base/disk/queue|base/net/(tcp|tls)|base/server/(clients|router)|edge/(access_log/access_log|purge/purge|views/views|volume/volumes?)|origin/media/lane")

function(fb_test_has_threads file ret_has)
    cmake_path(GET file PARENT_PATH folder)
    file(STRINGS ${file} has REGEX "^#include [\"<](${FB_WITH_THREADS})\\.h")
    file(STRINGS ${file} fixtures REGEX "^#include \"[a-z0-9_]+\\.h\"")
    foreach(fixture IN LISTS fixtures)
        string(REGEX REPLACE ".*\"(.*)\".*" "${folder}/\\1" fixture "${fixture}")
        if(NOT has AND EXISTS ${fixture})
            fb_test_has_threads(${fixture} has)
        endif()
    endforeach()
    set(${ret_has} "${has}" PARENT_SCOPE)
endfunction()

# One binary for each tests/unit/<layer folder>/test_*.c, linked to that layer. Those with threads
# have the label `threads` too: what ThreadSanitizer looks at.
function(fb_unit_tests)
    get_property(layers GLOBAL PROPERTY fb_layer_names)
    foreach(layer IN LISTS layers)
        get_property(dir GLOBAL PROPERTY fb_dir_${layer})
        file(GLOB tests CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tests/unit/${dir}/test_*.c)
        foreach(test IN LISTS tests)
            cmake_path(GET test STEM stem)
            string(REPLACE "/" "." name "${dir}/${stem}")
            add_executable(${name} ${test})
            # A test may hold several of what a program holds one of.
            set_source_files_properties(${test} PROPERTIES COMPILE_OPTIONS -Wno-frame-larger-than)
            target_link_libraries(${name} PRIVATE fb_test_flags ${layer} tests_support PkgConfig::CMOCKA)
            add_test(NAME unit.${name} COMMAND ${name})
            set(labels unit)
            fb_test_has_threads(${test} has_threads)
            if(has_threads)
                list(APPEND labels threads)
                set_property(GLOBAL APPEND PROPERTY fb_threads ${name})
            endif()
            set_tests_properties(unit.${name} PROPERTIES LABELS "${labels}" TIMEOUT 240)
        endforeach()
    endforeach()
endfunction()

# Writes the table of layers, "name folder uses...", for tests/lint.
function(fb_write_layers path)
    get_property(layers GLOBAL PROPERTY fb_layers)
    file(WRITE ${path} "${layers}")
endfunction()
