# Every third-party library, found once, under one target name each.
find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)

pkg_check_modules(UV REQUIRED IMPORTED_TARGET libuv)
pkg_check_modules(URING REQUIRED IMPORTED_TARGET liburing)
pkg_check_modules(YAML REQUIRED IMPORTED_TARGET yaml-0.1)
pkg_check_modules(SQLITE REQUIRED IMPORTED_TARGET sqlite3)
pkg_check_modules(JANSSON REQUIRED IMPORTED_TARGET jansson)
pkg_check_modules(SODIUM REQUIRED IMPORTED_TARGET libsodium)
pkg_check_modules(SYSTEMD REQUIRED IMPORTED_TARGET libsystemd)
pkg_check_modules(XXHASH REQUIRED IMPORTED_TARGET libxxhash)
pkg_check_modules(ZSTD REQUIRED IMPORTED_TARGET libzstd)
pkg_check_modules(PCRE2 REQUIRED IMPORTED_TARGET libpcre2-8)
pkg_check_modules(NGHTTP2 REQUIRED IMPORTED_TARGET libnghttp2)
pkg_check_modules(NETTLE REQUIRED IMPORTED_TARGET nettle)
pkg_check_modules(HOGWEED REQUIRED IMPORTED_TARGET hogweed nettle gmp)
pkg_check_modules(GCRYPT REQUIRED IMPORTED_TARGET libgcrypt)
pkg_check_modules(GLIB REQUIRED IMPORTED_TARGET glib-2.0)
pkg_check_modules(CJOSE REQUIRED IMPORTED_TARGET cjose)
pkg_check_modules(FFMPEG REQUIRED IMPORTED_TARGET
    libavformat libavcodec libavfilter libavutil libswscale libswresample)
pkg_check_modules(EXPAT REQUIRED IMPORTED_TARGET expat)
pkg_check_modules(CURL REQUIRED IMPORTED_TARGET libcurl)
pkg_check_modules(CMOCKA REQUIRED IMPORTED_TARGET cmocka)

# mbedTLS 2.28 (Debian 12) ships no pkg-config file; 3.6 (Debian 13) does.
find_path(MBEDTLS_INCLUDE_DIR mbedtls/md.h REQUIRED)
find_library(MBEDCRYPTO_LIBRARY mbedcrypto REQUIRED)
add_library(fb_mbedcrypto INTERFACE)
target_include_directories(fb_mbedcrypto SYSTEM INTERFACE ${MBEDTLS_INCLUDE_DIR})
target_link_libraries(fb_mbedcrypto INTERFACE ${MBEDCRYPTO_LIBRARY})
find_library(MBEDX509_LIBRARY mbedx509 REQUIRED)
find_library(MBEDTLS_LIBRARY mbedtls REQUIRED)
add_library(fb_mbedtls INTERFACE)
target_link_libraries(fb_mbedtls INTERFACE ${MBEDTLS_LIBRARY} ${MBEDX509_LIBRARY} fb_mbedcrypto)

# Intel's multi-buffer library seals TLS records; it is made for x86-64 alone, and ships no
# pkg-config file. What does without it seals with mbedTLS.
find_path(IPSEC_MB_INCLUDE_DIR intel-ipsec-mb.h)
find_library(IPSEC_MB_LIBRARY IPSec_MB)
add_library(fb_ipsec_mb INTERFACE)
if(IPSEC_MB_INCLUDE_DIR AND IPSEC_MB_LIBRARY)
    target_include_directories(fb_ipsec_mb SYSTEM INTERFACE ${IPSEC_MB_INCLUDE_DIR})
    target_link_libraries(fb_ipsec_mb INTERFACE ${IPSEC_MB_LIBRARY})
    target_compile_definitions(fb_ipsec_mb INTERFACE FB_HAS_IPSEC_MB)
endif()

# llhttp: a library in Debian 13, generated C beside node-llhttp in Debian 12.
pkg_check_modules(LLHTTP IMPORTED_TARGET libllhttp)
if(LLHTTP_FOUND)
    add_library(fb_llhttp INTERFACE)
    target_link_libraries(fb_llhttp INTERFACE PkgConfig::LLHTTP)
else()
    find_path(LLHTTP_SOURCE_DIR llhttp.c PATHS /usr/share/llhttp REQUIRED)
    find_path(LLHTTP_INCLUDE_DIR llhttp.h PATHS /usr/share/include/llhttp REQUIRED)
    add_library(fb_llhttp STATIC
        ${LLHTTP_SOURCE_DIR}/llhttp.c ${LLHTTP_SOURCE_DIR}/api.c ${LLHTTP_SOURCE_DIR}/http.c)
    target_compile_definitions(fb_llhttp PUBLIC LLHTTP_STRICT_MODE=1)
    target_compile_options(fb_llhttp PRIVATE -O2 -w -fPIE)
    target_include_directories(fb_llhttp SYSTEM PUBLIC ${LLHTTP_INCLUDE_DIR})
endif()

# wslay ships no pkg-config file.
find_path(WSLAY_INCLUDE_DIR wslay/wslay.h REQUIRED)
find_library(WSLAY_LIBRARY wslay REQUIRED)
add_library(fb_wslay INTERFACE)
target_include_directories(fb_wslay SYSTEM INTERFACE ${WSLAY_INCLUDE_DIR})
target_link_libraries(fb_wslay INTERFACE ${WSLAY_LIBRARY})
