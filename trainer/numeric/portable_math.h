// Functions from basic operations alone, so that the bits do not depend on which variant libm picks
// for the CPU it finds.
#pragma once

namespace baton::trainer {

// e^x for x <= 0, within 4e-16 of its value; 0 below -700.
double Exponential(double x);

// Natural logarithm of x in [1, 2^53], within 4e-16 absolute plus relative.
double Logarithm(double x);

// cos(pi * x) for x in [0, 1], within 2e-15.
double CosinePi(double x);

}  // namespace baton::trainer
