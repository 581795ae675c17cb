/** A copy of a model's state that another thread can write to disk while training goes on. */
import { CHECKPOINT_FILES, type CheckpointFile } from './checkpoint-manifest.js';
import { elementCount, rowRanges, rowSize, type NamedTensor } from './named-tensor.js';

/** A tensor's values in pieces of whole rows: plain data, which moves between threads without a copy. */
interface SnapshotTensor {
  readonly name: string;
  readonly shape: readonly number[];
  /** All but the last are equally long. */
  readonly pieces: readonly Float32Array<ArrayBuffer>[];
}

export type CheckpointContents = Readonly<Record<CheckpointFile, readonly NamedTensor[]>>;

export type CheckpointSnapshot = Readonly<Record<CheckpointFile, readonly SnapshotTensor[]>>;

const mapFiles = <T>(of: (file: CheckpointFile) => T): Record<CheckpointFile, T> =>
  Object.fromEntries(CHECKPOINT_FILES.map((file) => [file, of(file)])) as Record<CheckpointFile, T>;

/** Bytes of the tensors' values. */
export const contentBytes = (contents: CheckpointContents): number =>
  CHECKPOINT_FILES.reduce((sum, file) => sum + contents[file].reduce((bytes, tensor) => bytes + 4 * elementCount(tensor), 0), 0);

export const takeSnapshot = (contents: CheckpointContents): CheckpointSnapshot =>
  mapFiles((file) =>
    contents[file].map((tensor) => ({
      name: tensor.name,
      shape: tensor.shape,
      pieces: [...rowRanges(tensor)].map(({ first, floats }) => {
        const piece = new Float32Array(floats);
        tensor.read(first, piece);
        return piece;
      }),
    })),
  );

/** The buffers of a snapshot, to transfer rather than copy. */
export const snapshotBuffers = (snapshot: CheckpointSnapshot): ArrayBuffer[] =>
  CHECKPOINT_FILES.flatMap((file) => snapshot[file].flatMap(({ pieces }) => pieces.map((piece) => piece.buffer)));

/** A snapshot's tensors, to be written. */
export const snapshotContents = (snapshot: CheckpointSnapshot): CheckpointContents =>
  mapFiles((file) =>
    snapshot[file].map(({ name, shape, pieces }): NamedTensor => {
      const size = rowSize({ shape });
      const read: NamedTensor['read'] = (first, values) => {
        const length = pieces[0]?.length ?? 0;
        for (let done = 0; done < values.length; ) {
          const at = first * size + done;
          const from = at % length;
          const part = pieces[Math.floor(at / length)]!.subarray(from, from + values.length - done);
          values.set(part, done);
          done += part.length;
        }
      };
      return { name, shape, read };
    }),
  );
