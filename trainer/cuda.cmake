# The CUDA backend is built where nvcc, cuBLAS, cuDNN and NCCL's header are, and left out where they
# are not: a machine that builds for CPUs needs none of them. -DBATON_CUDA=ON makes their absence an
# error.
find_program(BATON_NVCC nvcc PATHS /usr/local/cuda/bin)
find_package(CUDAToolkit 13 QUIET)
find_library(CUDNN_LIBRARY cudnn HINTS ${CUDAToolkit_LIBRARY_DIR})
find_path(CUDNN_INCLUDE cudnn.h HINTS ${CUDAToolkit_INCLUDE_DIRS})
# The library itself is loaded by who has it.
find_path(NCCL_INCLUDE nccl.h HINTS ${CUDAToolkit_INCLUDE_DIRS})
set(cuda_found OFF)
# The sanitizers' compiler is clang; nvcc is tried with g++ alone.
if(BATON_NVCC AND CUDAToolkit_FOUND AND CUDNN_LIBRARY AND CUDNN_INCLUDE AND NCCL_INCLUDE
   AND NOT BATON_SANITIZE AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  set(cuda_found ON)
endif()
option(BATON_CUDA "Build the CUDA backend (needs CUDA 13, cuDNN 9 and nccl.h)" ${cuda_found})
if(NOT BATON_CUDA)
  message(STATUS "BATON_CUDA is OFF: no CUDA 13 with cuDNN 9, nccl.h and g++ here, or not wanted")
  return()
endif()
if(NOT cuda_found)
  message(FATAL_ERROR "BATON_CUDA is ON, but nvcc (${BATON_NVCC}), CUDA 13 "
    "(${CUDAToolkit_VERSION}), cuDNN (${CUDNN_LIBRARY}, ${CUDNN_INCLUDE}), NCCL's header "
    "(${NCCL_INCLUDE}) or g++ is missing")
endif()
# Turing to Blackwell, and code that other and later cards' drivers finish.
set(BATON_CUDA_ARCHITECTURES "75-real;80-real;86-real;89-real;90;100-real;120" CACHE STRING
  "Cards to build for")
set(CMAKE_CUDA_ARCHITECTURES ${BATON_CUDA_ARCHITECTURES})
set(CMAKE_CUDA_COMPILER ${BATON_NVCC})
if(BATON_CCACHE)
  set(CMAKE_CUDA_COMPILER_LAUNCHER ${BATON_CCACHE})
endif()
enable_language(CUDA)
message(STATUS "BATON_CUDA is ON: CUDA ${CUDAToolkit_VERSION}, for ${CMAKE_CUDA_ARCHITECTURES}")
# CMake 3.25 does not know that this nvcc knows C++20.
set(CMAKE_CUDA20_STANDARD_COMPILE_OPTION -std=c++20)
set(CMAKE_CUDA20_EXTENSION_COMPILE_OPTION -std=c++20)
add_compile_options("$<$<COMPILE_LANGUAGE:CUDA>:-Werror=all-warnings>"
  "$<$<COMPILE_LANGUAGE:CUDA>:-Xcompiler=-Wall,-Wextra,-ffp-contract=off>")
