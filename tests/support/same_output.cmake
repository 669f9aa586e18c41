# Fails unless what PROGRAM prints is what DOCUMENT holds.
execute_process(COMMAND ${PROGRAM} OUTPUT_VARIABLE printed RESULT_VARIABLE result)
file(READ ${DOCUMENT} written)
if(NOT result EQUAL 0 OR NOT printed STREQUAL written)
    message(FATAL_ERROR "${DOCUMENT} is out of date: print it anew with ${PROGRAM}")
endif()
