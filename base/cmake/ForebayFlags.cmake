# One interface target, fb_flags, that every library and program of ours links:
# language, warnings, sanitizers, hardening. Foreign sources never link it.
set(FB_SANITIZE "" CACHE STRING "Sanitizer: empty, address (with undefined) or thread")

add_library(fb_flags INTERFACE)
target_compile_definitions(fb_flags INTERFACE _GNU_SOURCE FB_VERSION="${PROJECT_VERSION}")
target_compile_options(fb_flags INTERFACE
    -fno-omit-frame-pointer -fno-strict-aliasing -fvisibility=hidden
    -Wall -Wextra
    -Wshadow -Wundef -Wvla -Wwrite-strings -Wcast-align -Wcast-qual -Wpointer-arith
    -Wbad-function-cast -Wconversion -Wno-sign-conversion -Wdouble-promotion -Wfloat-equal
    -Wformat=2 -Wimplicit-fallthrough -Winit-self -Wdate-time -Wmissing-declarations
    -Wmissing-prototypes -Wstrict-prototypes -Wold-style-definition -Wnested-externs
    -Wredundant-decls -Wnull-dereference -Wframe-larger-than=16384 -Wdisabled-optimization)

if(CMAKE_C_COMPILER_ID STREQUAL "GNU")
    target_compile_options(fb_flags INTERFACE
        -Wcast-align=strict -Wlogical-op -Wduplicated-cond -Wduplicated-branches
        -Warith-conversion -Wformat-signedness -Wformat-overflow=2 -Wno-format-truncation
        -Warray-bounds=2 -Wimplicit-fallthrough=5 -Walloc-zero -Wtrampolines
        -Wunused-const-variable=2 -Wjump-misses-init)
else()
    target_compile_options(fb_flags INTERFACE
        -Wpedantic -Wcomma -Wconditional-uninitialized -Wcovered-switch-default
        -Wmissing-variable-declarations -Wshorten-64-to-32 -Wunreachable-code-aggressive
        -Wassign-enum -Wthread-safety -Wloop-analysis
        -Wno-gnu-statement-expression -Wno-gnu-zero-variadic-macro-arguments -Wno-gnu-auto-type)
endif()

if(FB_SANITIZE STREQUAL "address")
    set(sanitize -fsanitize=address,undefined,float-divide-by-zero -fno-sanitize-recover=all)
    if(CMAKE_C_COMPILER_ID MATCHES "Clang")
        list(APPEND sanitize -fsanitize=implicit-conversion,nullability,local-bounds)
    endif()
elseif(FB_SANITIZE STREQUAL "thread")
    set(sanitize -fsanitize=thread)
endif()
if(FB_SANITIZE)
    # Sanitizers put room between variables: the limit on frames is for the others.
    target_compile_options(fb_flags INTERFACE ${sanitize} -Wno-frame-larger-than)
    target_link_options(fb_flags INTERFACE ${sanitize})
    target_compile_definitions(fb_flags INTERFACE FB_SANITIZED=1 FB_TEST_CLOCK=1)
endif()
if(FB_SANITIZE STREQUAL "thread")
    add_library(fb_tsan_close OBJECT ${CMAKE_SOURCE_DIR}/tests/support/tsan/close.c)
    target_compile_definitions(fb_tsan_close PRIVATE _GNU_SOURCE)
    target_sources(fb_flags INTERFACE
        $<$<STREQUAL:$<TARGET_PROPERTY:TYPE>,EXECUTABLE>:$<TARGET_OBJECTS:fb_tsan_close>>)
endif()
if(FB_FUZZ)
    target_compile_options(fb_flags INTERFACE -fsanitize=fuzzer-no-link)
endif()

if(CMAKE_BUILD_TYPE STREQUAL "Release")
    # NDEBUG changes nothing here: contracts stay on in every build.
    target_compile_options(fb_flags INTERFACE
        -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3 -fstack-protector-strong
        -fstack-clash-protection -fcf-protection -fPIE)
    target_link_options(fb_flags INTERFACE -pie -Wl,-z,relro,-z,now)
    if(CMAKE_C_COMPILER_ID STREQUAL "GNU")
        target_compile_options(fb_flags INTERFACE -ftrivial-auto-var-init=zero)
    endif()
endif()

# Hundreds of test programs: linking them takes half of the time by LLVM's linker. What is released
# is linked by the compiler's own.
find_program(FB_LLD ld.lld)
add_library(fb_test_flags INTERFACE)
target_link_libraries(fb_test_flags INTERFACE fb_flags)
if(FB_LLD)
    target_link_options(fb_test_flags INTERFACE -fuse-ld=lld)
    if(NOT CMAKE_BUILD_TYPE STREQUAL "Release")
        target_link_options(fb_flags INTERFACE -fuse-ld=lld)
    endif()
endif()
set(CMAKE_C_FLAGS_RELEASE "-O2 -g")
