// Loops for the vectors that a CPU has, with the same bits on all.
#pragma once

// Before a function: it is compiled for vectors of eight and of sixteen floats too (AVX2, AVX-512),
// and which one runs is decided when the program is loaded. Loops over basic operations alone give
// the same bits at every width: nothing is contracted (-ffp-contract=off), and sums keep the order
// of the source. What it calls must be inline to be wide as well. Coarse functions: the choice
// costs a jump. g++ alone: clang's sanitizers begin before the choice can be made.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
#define BATON_WIDE __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define BATON_WIDE
#endif
