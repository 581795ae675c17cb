import { fromBinary } from '@bufbuild/protobuf';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { drawValues, SMALL_ENCODERS, SMALL_SURFACES, smallModel } from '../../test/support/small-model.js';
import { ModelProtoSchema, TensorProto_DataLocation, type ModelProto } from '../graph/onnx/onnx_pb.js';
import { fromHalf, toHalf } from '../kernels/half-precision.js';
import { writeCheckpoint } from '../train/checkpoint.js';
import { tableWeightsName } from '../train/checkpoint-manifest.js';
import { arrayTensor } from '../train/named-tensor.js';
import { buildFusedGraph } from './fused-graph.js';
import { buildServingGraph, type ServingGraph } from './serving-graph.js';
import { writeServingGraph } from './write-graph.js';

const FLOAT = 1;
const FLOAT16 = 10;

let directory: string;
const { model, graph } = smallModel();
const { layout, parameters } = graph;

const tables = layout.fusedTables.map(({ width, rows }, index) => ({
  name: tableWeightsName(width), shape: [rows, width], data: Float32Array.from(drawValues(70 + index, rows * width)),
}));

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'onefold-'));
  const dense = parameters.map(({ spec }, index) =>
    arrayTensor(spec.name, spec.shape, Float32Array.from(drawValues(index, spec.shape.reduce((a, b) => a * b, 1)))),
  );
  const manifest = { model: 'small', configHash: 'h', seed: 1, step: 1, stepsBefore: 0, epoch: 1, layout, parameters: parameters.map(({ spec }) => spec), progress: null };
  writeCheckpoint(join(directory, 'checkpoint'), manifest, {
    'dense.safetensors': dense,
    'tables.safetensors': tables.map(({ name, shape, data }) => arrayTensor(name, shape, data)),
    'optimizer.safetensors': [],
  });
});

afterAll(() => {
  rmSync(directory, { recursive: true, force: true });
});

const write = (surface: string, precision: 'fp32' | 'fp16'): { serving: ServingGraph; onnx: ModelProto; bytes: Buffer; inputs: readonly { name: string }[] } => {
  const options = { model, layout, encoders: SMALL_ENCODERS, surface, logitOffsets: {} };
  const serving = buildServingGraph(options);
  const inputs = writeServingGraph({ directory, checkpoint: join(directory, 'checkpoint'), serving, fused: buildFusedGraph(options), layout, precision, name: surface });
  return { serving, inputs, onnx: fromBinary(ModelProtoSchema, readFileSync(join(directory, 'model.onnx'))), bytes: readFileSync(join(directory, 'tables.bin')) };
};

/** A table's rows in the checkpoint. */
const stored = (table: string, width: number): Float32Array => {
  const index = layout.fusedTables.findIndex((fused) => fused.width === width);
  const { base, rows } = layout.fusedTables[index]!.tables.find((slice) => slice.name === table)!;
  return tables[index]!.data.subarray(base * width, (base + rows) * width);
};

const externalOf = (onnx: ModelProto, name: string): { location: string; offset: number; length: number; dataType: number } => {
  const tensor = onnx.graph!.initializer.find((one) => one.name === name)!;
  expect(tensor.dataLocation).toBe(TensorProto_DataLocation.EXTERNAL);
  const entries = Object.fromEntries(tensor.externalData.map(({ key, value }) => [key, value])) as Record<'location' | 'offset' | 'length', string>;
  return { location: entries.location, offset: Number(entries.offset), length: Number(entries.length), dataType: tensor.dataType };
};

describe('an exported graph', () => {
  it.each(SMALL_SURFACES)('uses the standard operator set alone: %s', (surface) => {
    const { onnx } = write(surface, 'fp16');
    expect(onnx.opsetImport.map(({ domain }) => domain)).toEqual(['']);
    expect(new Set(onnx.graph!.node.map((node) => node.domain))).toEqual(new Set(['']));
    expect(onnx.functions).toEqual([]);
  });

  it('names its inputs in the order of the graph', () => {
    const { onnx, inputs } = write('search', 'fp32');
    expect(inputs.map((input) => input.name)).toEqual(onnx.graph!.input.map((input) => input.name));
    expect(inputs.map((input) => input.name).sort()).toEqual(['ad', 'age', 'creative', 'history.ad', 'history.gap', 'price', 'query', 'row_to_request', 'user', 'view_type']);
  });

  it('has no tower, table or feature of another surface', () => {
    const { onnx, serving } = write('search', 'fp32');
    const names = onnx.graph!.initializer.map((tensor) => tensor.name);
    expect(names.filter((name) => name.startsWith('tower.')).every((name) => name.startsWith('tower.search.'))).toBe(true);
    expect(serving.fixedRows.map(({ name }) => name)).toEqual(['row.@surface.1', 'row.tags.0']);
    expect(names).not.toContain('table.tags');
    expect(onnx.graph!.initializer.find((tensor) => tensor.name === 'row.tags.0')!.rawData.length).toBe(4 * 2);
  });
});

describe('tables beside the graph', () => {
  it('are the rows of the checkpoint, each table at a boundary', () => {
    const { onnx, serving, bytes } = write('home', 'fp32');
    let end = 0;
    // Those of one width follow each other.
    for (const { name, width, rows } of serving.tables.toSorted((a, b) => a.width - b.width)) {
      const { location, offset, length, dataType } = externalOf(onnx, `table.${name}`);
      expect([location, dataType, length]).toEqual(['tables.bin', FLOAT, 4 * rows * width]);
      expect(offset % (length < 65_536 ? 64 : 4096)).toBe(0);
      expect(offset).toBeGreaterThanOrEqual(end);
      end = offset + length;
      expect(Buffer.from(bytes.subarray(offset, end)).equals(Buffer.from(Float32Array.from(stored(name, width)).buffer))).toBe(true);
    }
    expect(bytes.length).toBe(end);
  });

  it('take half the room in half precision', () => {
    const { onnx, serving, bytes } = write('home', 'fp16');
    for (const { name, width, rows } of serving.tables) {
      const { offset, length, dataType } = externalOf(onnx, `table.${name}`);
      expect([dataType, length]).toEqual([FLOAT16, 2 * rows * width]);
      const halves = Array.from({ length: rows * width }, (_, index) => bytes.readUInt16LE(offset + 2 * index));
      expect(halves).toEqual([...stored(name, width)].map(toHalf));
    }
    const row = onnx.graph!.initializer.find((tensor) => tensor.name === 'row.query.0')!;
    expect(row.dataType).toBe(FLOAT16);
    const value = fromHalf(Buffer.from(row.rawData).readUInt16LE(0));
    expect(value).toBeCloseTo(stored('query', 2)[0]!, 3);
  });
});
