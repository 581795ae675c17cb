// The hot loops of one SIMD level. native/build.mjs compiles this file once a level, with that level's instruction set and
// ONEFOLD_LEVEL naming it; nothing with external linkage is defined here but the level itself.
#include "jobs.hpp"
#include "level-lookup.hpp"
#include "level-update.hpp"
#include "simd.hpp"

namespace {

// Eight running sums in double, element i to sum i mod 8: the order of src/kernels/squared-norm.ts.
double squaredNorm(const float* values, size_t count) {
  typedef double Eight __attribute__((vector_size(64)));
  typedef float EightFloats __attribute__((vector_size(32)));
  Eight sums = {};
  size_t i = 0;
  for (; i + 8 <= count; i += 8) {
    EightFloats part;
    __builtin_memcpy(&part, values + i, sizeof part);
    const Eight wide = __builtin_convertvector(part, Eight);
    sums += wide * wide;
  }
  for (size_t lane = 0; i < count; ++i, ++lane) sums[lane] += (double)values[i] * (double)values[i];
  return ((sums[0] + sums[4]) + (sums[2] + sums[6])) + ((sums[1] + sums[5]) + (sums[3] + sums[7]));
}

void denseAdam(float* parameter, float* first, float* second, const float* gradient, size_t count, const DenseAdam& s) {
  size_t i = 0;
  for (; i + LANES <= count; i += LANES) {
    const Vec weight = load(parameter + i);
    const Vec g = load(gradient + i) * s.gradientScale + weight * s.l2;
    const Vec m = load(first + i) * s.beta1 + g * s.rest1;
    const Vec v = load(second + i) * s.beta2 + g * g * s.rest2;
    store(first + i, m);
    store(second + i, v);
    store(parameter + i, weight * s.kept - m * s.rate / (squareRoot(v) * s.rootScale + s.epsilon));
  }
  for (; i < count; ++i) {
    const float weight = parameter[i];
    const float g = gradient[i] * s.gradientScale + weight * s.l2;
    const float m = first[i] * s.beta1 + g * s.rest1;
    const float v = second[i] * s.beta2 + g * g * s.rest2;
    first[i] = m;
    second[i] = v;
    parameter[i] = weight * s.kept - m * s.rate / (__builtin_sqrtf(v) * s.rootScale + s.epsilon);
  }
}

}  // namespace

#define ONEFOLD_JOIN(a, b) a##b
#define ONEFOLD_LEVEL_SYMBOL(name) ONEFOLD_JOIN(level_, name)
#define ONEFOLD_TEXT(name) #name
#define ONEFOLD_LEVEL_TEXT(name) ONEFOLD_TEXT(name)

namespace onefold {
extern const Level ONEFOLD_LEVEL_SYMBOL(ONEFOLD_LEVEL);
const Level ONEFOLD_LEVEL_SYMBOL(ONEFOLD_LEVEL) = {
    ONEFOLD_LEVEL_TEXT(ONEFOLD_LEVEL), idsInside, lookup, findWinners, updateLone, updateGroups, squaredNorm, denseAdam,
};
}  // namespace onefold
