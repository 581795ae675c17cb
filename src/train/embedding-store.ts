import type { BlockGradient, EmbeddingKernel, EmbeddingTable, RowOptimizer, SlotIds, TableOptimizer, TablePart } from '../kernels/embedding-kernel.js';
import { initializeRows } from '../kernels/initialize-rows.js';
import type { ModelLayout } from '../model/layout.js';
import { rowCountOf, type BatchFeeds } from './batch-feeds.js';
import { tablePartName } from './checkpoint-manifest.js';
import type { WritableTensor } from './named-tensor.js';

/** Ids and looked-up rows of one block of a batch. */
export interface FilledBlock {
  readonly name: string;
  readonly slots: readonly SlotIds[];
  readonly rowCount: number;
  readonly stride: number;
  /** `[rowCount, stride]`; overwritten by the next lookup. */
  readonly rows: Float32Array;
}

/** A part of a fused table as a checkpoint stores it: `[rows, width]`, or `[rows]` where a row has one number. */
const partTensor = (table: EmbeddingTable, { name, width }: TablePart): WritableTensor => ({
  name: tablePartName(table.width, name),
  shape: name === 'accumulators' ? [table.rows] : [table.rows, width],
  read: (first, values) => {
    table.readRows(name, first, values);
  },
  write: (first, values) => {
    table.writeRows(name, first, values);
  },
});

/** A model's fused tables, one a width, and the buffers its blocks are looked up into. */
export class EmbeddingStore {
  readonly #layout: ModelLayout;
  readonly #tables: ReadonlyMap<number, EmbeddingTable>;
  readonly #buffers: Float32Array[];

  /**
   * Makes the tables and draws their starting rows.
   *
   * @param optimizer whose state each row has; none in an engine that only scores
   */
  constructor(kernel: EmbeddingKernel, layout: ModelLayout, seed: number, optimizer?: TableOptimizer) {
    this.#layout = layout;
    this.#buffers = layout.blocks.map(() => new Float32Array(0));
    this.#tables = new Map(
      layout.fusedTables.map(({ width, rows, tables }) => {
        const table = kernel.createTable(width, rows, optimizer === undefined ? {} : { optimizer });
        for (const slice of tables) initializeRows(table, slice, seed);
        return [width, table];
      }),
    );
  }

  table(width: number): EmbeddingTable {
    return this.#tables.get(width)!;
  }

  /** @throws KernelError when an id is outside its table. */
  lookup(feeds: BatchFeeds): readonly FilledBlock[] {
    return this.#layout.blocks.map((block, index) => {
      const rowCount = rowCountOf(block.rows, feeds);
      const slots = block.slots.map((slot, position): SlotIds => ({ ...slot, ...feeds.blocks[index]![position]! }));
      const size = rowCount * block.blockWidth;
      // Grown a little beyond the need: batches vary in size, and a buffer a step is a page fault a page.
      if (this.#buffers[index]!.length < size) this.#buffers[index] = new Float32Array(Math.ceil(size * 1.1));
      const rows = this.#buffers[index]!.subarray(0, size);
      this.table(block.width).lookup(slots, rowCount, rows, block.blockWidth);
      return { name: block.name, slots, rowCount, stride: block.blockWidth, rows };
    });
  }

  /**
   * One step of the rows' optimizer: the blocks of a fused table are updated together.
   *
   * @param gradientOf gradient `[rowCount, stride]` of a block, by name
   * @returns distinct rows updated
   */
  update(filled: readonly FilledBlock[], gradientOf: (block: string) => Float32Array, optimizer: RowOptimizer): number {
    let updated = 0;
    for (const [width, table] of this.#tables) {
      const blocks = filled.flatMap((block, index): BlockGradient[] =>
        this.#layout.blocks[index]!.width === width ? [{ ...block, gradient: gradientOf(block.name) }] : [],
      );
      updated += table.update(blocks, optimizer);
    }
    return updated;
  }

  /** The tables and their rows' state as a checkpoint stores them. */
  tensors(): WritableTensor[] {
    return [...this.#tables.values()].flatMap((table) => table.parts.map((part) => partTensor(table, part)));
  }
}
