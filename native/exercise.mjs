/**
 * Walks an addon through every path, wrong ids and sizes among them: what the sanitizers watch.
 *
 *   node native/exercise.mjs ADDON
 */
import { closeSync, mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

const addon = createRequire(import.meta.url)(resolve(process.argv[2]));
let state = 1;
const random = (below) => {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
  return Math.floor((state / 4294967296) * below);
};
const floats = (length) => Float32Array.from({ length }, () => random(1000) / 500 - 1);
const [SINGLE, SUM, MEAN, MAX] = [0, 1, 2, 3];

/** Fields, ids and offsets of a block of one slot of each pooling. */
const makeBlock = (width, rows, rowCount) => {
  const stride = 4 * width;
  const fields = [4, rowCount, stride];
  const ids = [];
  const offsets = [];
  for (const pooling of [SINGLE, SUM, MEAN, MAX]) {
    const bounds = new Int32Array(rowCount + 1);
    bounds[0] = pooling;
    for (let row = 0; row < rowCount; row += 1) bounds[row + 1] = bounds[row] + (pooling === SINGLE ? 1 : random(5));
    // Exactly as long as it must be: a read beyond it is a read outside its buffer.
    ids.push(Int32Array.from({ length: pooling === SINGLE ? rowCount : bounds[rowCount] }, () => random(pooling === SUM ? 3 : rows)));
    offsets.push(pooling === SINGLE ? undefined : bounds);
    fields.push(0, rows, pooling * width, pooling);
  }
  return { fields: Float64Array.from(fields), ids, offsets, floats: rowCount * stride };
};

/** The same block for `lookupFew`: fields with the counts of ids and offsets, and both in one array, exactly as long as it must be. */
const fewOf = ({ fields, ids, offsets }) => {
  const slots = ids.map((values, slot) => [...fields.subarray(3 + 4 * slot, 7 + 4 * slot), values.length, offsets[slot]?.length ?? 0]);
  const values = ids.flatMap((each, slot) => [...each, ...(offsets[slot] ?? [])]);
  return [Float64Array.from([...fields.subarray(0, 3), ...slots.flat()]), Int32Array.from(values)];
};

const optimizerOf = (type) => Float64Array.of(type, 1, 0.05, 1e-8, 0.01, 0.9, 0.999, 0.1, 0.001);
const mustThrow = (name, body) => {
  try {
    body();
  } catch {
    return;
  }
  throw new Error(`${name}: nothing was thrown`);
};
const mustFault = (name, result) => {
  if (!Array.isArray(result)) throw new Error(`${name}: no fault was reported`);
};

/** Rows of a file: odd offsets, and a file that ends with them. */
const exerciseFiles = (kernel, width) => {
  const rows = 300;
  const folder = mkdtempSync(join(tmpdir(), 'onefold-exercise-'));
  const path = join(folder, 'tables.bin');
  for (const [precision, weightBytes] of [[0, 4], [1, 2], [2, 1]]) {
    for (const offset of [0, weightBytes, 4096, 8192 + 5 * weightBytes]) {
      const bytes = rows * width * weightBytes;
      const scalesOffset = precision === 2 ? 4 * Math.ceil((offset + bytes) / 4) : 0;
      const size = precision === 2 ? scalesOffset + 8 * rows : offset + bytes;
      writeFileSync(path, Buffer.alloc(size, 61));
      const file = openSync(path, 'r');
      const map = (...changes) => addon.mapTable(...Object.assign([kernel, file, width, rows, precision, offset, scalesOffset], ...changes));
      const table = map();
      mustThrow('more rows than the file', () => map({ 3: rows + 1 }));
      mustThrow('rows beyond any file', () => map({ 5: 2 ** 53 - 16 }));
      mustThrow('a negative offset', () => map({ 5: -weightBytes }));
      mustThrow('an unknown precision', () => map({ 4: 3 }));
      if (weightBytes > 1) mustThrow('an odd offset', () => map({ 3: 1, 5: 1 }));
      else mustThrow('odd scales', () => map({ 3: 1, 6: 2 }));
      addon.closeTable(map({ 3: 0 }));
      closeSync(file);
      mustThrow('a closed file', () => map());
      for (const rowCount of [0, 1, 333]) {
        const block = makeBlock(width, rows, rowCount);
        addon.lookup(table, block.fields, block.ids, block.offsets, [new Float32Array(block.floats)]);
        addon.lookupFew(table, ...fewOf(block), new Float32Array(block.floats));
      }
      mustThrow('no such part', () => addon.readRows(table, 0, 0, new Float32Array(width)));
      if (precision === 0) addon.closeTable(addon.quantize(table, 2));
      else mustThrow('quantized twice', () => addon.quantize(table, 2));
      addon.closeTable(table);
    }
  }
  rmSync(folder, { recursive: true });
};

for (const level of addon.levels()) {
  for (const threads of [1, 3]) {
    const kernel = addon.createKernel(threads, level);
    for (const width of [1, 7, 8, 16, 19, 32, 64]) {
      exerciseFiles(kernel, width);
      for (const optimizer of [1, 2, 3]) {
        const rows = 500;
        const table = addon.createTable(kernel, width, rows, optimizer);
        addon.writeRows(table, 0, 0, floats(rows * width));
        for (const rowCount of [0, 1, 333]) {
          const block = makeBlock(width, rows, rowCount);
          addon.lookup(table, block.fields, block.ids, block.offsets, [new Float32Array(block.floats)]);
          addon.lookupFew(table, ...fewOf(block), new Float32Array(block.floats));
          addon.update(table, block.fields, block.ids, block.offsets, [floats(block.floats)], optimizerOf(optimizer));
          for (const precision of [1, 2]) {
            const quantized = addon.quantize(table, precision);
            addon.lookup(quantized, block.fields, block.ids, block.offsets, [new Float32Array(block.floats)]);
            addon.closeTable(quantized);
          }
        }
        const block = makeBlock(width, rows, 50);
        const out = new Float32Array(block.floats);
        for (const [slot, id] of [[0, rows], [1, -1], [2, 2147483647], [3, -2147483648]]) {
          const ids = block.ids.map((values, index) => (index === slot ? values.map((value, i) => (i === values.length - 1 ? id : value)) : values));
          mustFault('lookup', addon.lookup(table, block.fields, ids, block.offsets, [out]));
          mustFault('lookupFew', addon.lookupFew(table, ...fewOf({ ...block, ids }), out));
          mustFault('update', addon.update(table, block.fields, ids, block.offsets, [out], optimizerOf(optimizer)));
        }
        for (const change of [(bounds) => bounds.map((value) => value + 1), (bounds) => bounds.map((value) => -value), (bounds) => bounds.map((value) => value - 5)]) {
          const offsets = block.offsets.map((bounds, index) => (index === 2 ? change(bounds) : bounds));
          mustFault('offsets', addon.lookup(table, block.fields, block.ids, offsets, [out]));
          mustFault('few offsets', addon.lookupFew(table, ...fewOf({ ...block, offsets }), out));
        }
        const call = (fields, ids, offsets, array) => () => addon.lookup(table, fields, ids, offsets, [array]);
        const [fields, values] = fewOf(block);
        const callFew = (...parts) => () => addon.lookupFew(table, ...parts);
        const change = (at, value) => fields.map((field, i) => (i === at ? value : field));
        mustThrow('few: short out', callFew(fields, values, out.subarray(1)));
        mustThrow('few: short values', callFew(fields, values.subarray(1), out));
        mustThrow('few: short fields', callFew(fields.subarray(0, 26), values, out));
        mustThrow('few: no fields', callFew(fields.subarray(0, 2), values, out));
        mustThrow('few: short ids', callFew(change(7, 49), values, out));
        mustThrow('few: short offsets', callFew(change(14, 50), values, out));
        mustThrow('few: more ids than there are', callFew(change(25, 2 ** 31 - 1), values, out));
        mustThrow('few: rows beyond the table', callFew(change(4, rows + 1), values, out));
        mustThrow('few: a row of any length', callFew(change(2, 2 ** 40), values, out));
        mustThrow('short out', call(block.fields, block.ids, block.offsets, out.subarray(1)));
        mustThrow('short ids', call(block.fields, block.ids.map((values) => values.subarray(1)), block.offsets, out));
        mustThrow('short offsets', call(block.fields, block.ids, block.offsets.map((bounds) => bounds?.subarray(1)), out));
        mustThrow('wrong type', call(block.fields, block.ids.map((values) => Float32Array.from(values)), block.offsets, out));
        mustThrow('short fields', call(block.fields.subarray(0, 5), block.ids, block.offsets, out));
        mustThrow('rows beyond the table', call(block.fields.map((value, i) => (i === 4 ? rows + 1 : value)), block.ids, block.offsets, out));
        mustThrow('width beyond the row', call(block.fields.map((value, i) => (i === 17 ? 3 * width + 1 : value)), block.ids, block.offsets, out));
        mustThrow('readRows', () => addon.readRows(table, 0, rows - 1, new Float32Array(2 * width)));
        mustThrow('another part', () => addon.readRows(table, 3, 0, new Float32Array(width)));
        addon.closeTable(table);
        mustThrow('a closed table', call(block.fields, block.ids, block.offsets, out));
      }
    }
    for (const length of [0, 1, 15, 17, 40_001]) {
      const arrays = [0, 1, 2, 3].map(() => floats(length));
      addon.denseAdam(kernel, ...arrays, Float64Array.of(0.01, 0.9, 0.999, 1e-8, 0.01, 1, 0.1, 0.001, 1));
      addon.squaredNorm(kernel, arrays[0]);
      mustThrow('lengths', () => addon.denseAdam(kernel, new Float32Array(length + 1), ...arrays.slice(1), new Float64Array(9)));
    }
  }
}
console.log(`exercised ${addon.levels().join(', ')}`);
