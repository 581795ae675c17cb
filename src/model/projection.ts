import type { Model } from '../config/project.js';
import { cross, crossMixture } from './cross.js';
import { dense } from './dense.js';
import type { Module } from './scope.js';

/**
 * DCNv2 projection: what the Transformer gives is wide, and every layer after it pays for that width. Crossing it with
 * itself first keeps its interactions, then a dense layer makes it small. No normalization follows: a candidate without a
 * history reads zeros, and normalizing what is nearly zero would blow its noise up.
 */
export const project =
  ({ width, layers, rank, experts }: NonNullable<Model['projection']>): Module =>
  (scope, x) => {
    const crossed = experts > 1 && rank !== undefined ? crossMixture({ layers, rank, experts })(scope.child('cross'), x) : cross({ layers, rank })(scope.child('cross'), x);
    return dense(width)(scope.child('dense'), crossed);
  };
