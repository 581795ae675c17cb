import type { BlockGradient, EmbeddingKernel, EmbeddingTable, RowWiseAdagrad, SlotIds } from '../kernels/embedding-kernel.js';
import { initializeRows } from '../kernels/initialize-rows.js';
import type { ModelLayout } from '../model/layout.js';
import { rowCountOf, type BatchFeeds } from './batch-feeds.js';
import { tableAccumulatorsName, tableWeightsName } from './checkpoint-manifest.js';
import type { NamedTensor } from './safetensors.js';

/** Ids and looked-up rows of one block of a batch. */
export interface FilledBlock {
  readonly name: string;
  readonly slots: readonly SlotIds[];
  readonly rowCount: number;
  readonly stride: number;
  /** `[rowCount, stride]`; overwritten by the next lookup. */
  readonly rows: Float32Array;
}

/** A model's fused tables, one a width, and the buffers its blocks are looked up into. */
export class EmbeddingStore {
  readonly #layout: ModelLayout;
  readonly #tables: ReadonlyMap<number, EmbeddingTable>;
  readonly #buffers: Float32Array[];

  /** Makes the tables and draws their starting rows. */
  constructor(kernel: EmbeddingKernel, layout: ModelLayout, seed: number) {
    this.#layout = layout;
    this.#buffers = layout.blocks.map(() => new Float32Array(0));
    this.#tables = new Map(
      layout.fusedTables.map(({ width, rows, tables }) => {
        const table = kernel.createTable(width, rows);
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
   * One row-wise Adagrad step: the blocks of a fused table are updated together.
   *
   * @param gradientOf gradient `[rowCount, stride]` of a block, by name
   * @returns distinct rows updated
   */
  update(filled: readonly FilledBlock[], gradientOf: (block: string) => Float32Array, optimizer: RowWiseAdagrad): number {
    let updated = 0;
    for (const [width, table] of this.#tables) {
      const blocks = filled.flatMap((block, index): BlockGradient[] =>
        this.#layout.blocks[index]!.width === width ? [{ ...block, gradient: gradientOf(block.name) }] : [],
      );
      updated += table.update(blocks, optimizer);
    }
    return updated;
  }

  /** The tables as a checkpoint stores them; views, not copies. */
  tensors(): NamedTensor[] {
    return [...this.#tables.values()].flatMap((table) => [
      { name: tableWeightsName(table.width), shape: [table.rows, table.width], data: table.weights },
      { name: tableAccumulatorsName(table.width), shape: [table.rows], data: table.accumulators },
    ]);
  }
}
