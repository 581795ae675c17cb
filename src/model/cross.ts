import type { Tensor } from '../graph/tensor.js';
import { add } from '../graph/ops/add.js';
import { matmul } from '../graph/ops/matmul.js';
import { mul } from '../graph/ops/mul.js';
import { featureWidth, type Module } from './scope.js';

/**
 * DCNv2 crossing (Wang et al. 2021, "DCN V2"): `x' = x0 ⊙ (W·x + b) + x`, `layers` times. With `rank`, W is the product of
 * two thin matrices (U·V), as in the paper's low-rank form.
 */
export const cross =
  (options: { readonly layers: number; readonly rank?: number | undefined }): Module =>
  (scope, x0) => {
    const width = featureWidth(x0);
    let x = x0;
    for (let layer = 0; layer < options.layers; layer++) {
      const own = scope.child(`layer${layer}`);
      const bias = own.parameter('bias', [width], { type: 'zeros' }, { decay: false });
      const weight = (name: string, rows: number, columns: number): Tensor =>
        own.parameter(name, [rows, columns], { type: 'glorot', fanIn: rows, fanOut: columns }, { decay: true });
      const mixed =
        options.rank === undefined
          ? matmul(x, weight('weight', width, width))
          : matmul(matmul(x, weight('down', width, options.rank)), weight('up', options.rank, width));
      x = add(mul(x0, add(mixed, bias)), x);
    }
    return x;
  };
