/** How a column's values are stored while they wait, and the DuckDB type they become. */
export type ValueType =
  | { readonly kind: 'int32' | 'float' | 'timestamp' }
  /** Values are indices into `names`; Parquet holds the names. */
  | { readonly kind: 'name'; readonly names: readonly string[] };

export interface ColumnSpec {
  readonly name: string;
  readonly type: ValueType;
  /** 0: a value a row; 1: a list a row; 2: a list of lists a row. */
  readonly depth: 0 | 1 | 2;
}

type Storage = Int32Array | Float32Array | Uint8Array | Uint16Array | Uint32Array;

/** DuckDB stores an enum of at most this many names in a byte. */
const MOST_BYTE_NAMES = 255;
const TWO_TO_32 = 2 ** 32;

const allocate = (type: ValueType, capacity: number): Storage => {
  switch (type.kind) {
    case 'int32':
      return new Int32Array(capacity);
    case 'float':
      return new Float32Array(capacity);
    case 'timestamp':
      // Microseconds in 64 bits, written as two halves: BigInt would cost an allocation a value.
      return new Uint32Array(2 * capacity);
    case 'name':
      return type.names.length <= MOST_BYTE_NAMES ? new Uint8Array(capacity) : new Uint16Array(capacity);
  }
};

/** List entries and null bits of one nesting level, laid out as DuckDB's vectors hold them. */
export class LevelBuffer {
  /** Pairs of 64-bit offset and length (only of list levels). */
  entries: Uint32Array;
  /** One bit an entry, 1: not null. */
  validity: Uint8Array;
  count = 0;
  nulls = 0;
  readonly #isList: boolean;

  constructor(capacity: number, isList: boolean) {
    this.#isList = isList;
    this.entries = new Uint32Array(isList ? 4 * capacity : 0);
    this.validity = new Uint8Array(Math.ceil(capacity / 64) * 8).fill(255);
  }

  grow(capacity: number): void {
    if (this.#isList) {
      const entries = new Uint32Array(4 * capacity);
      entries.set(this.entries);
      this.entries = entries;
    }
    const validity = new Uint8Array(Math.ceil(capacity / 64) * 8).fill(255);
    validity.set(this.validity);
    this.validity = validity;
  }

  setNull(index: number): void {
    this.validity[index >> 3] = this.validity[index >> 3]! & ~(1 << (index & 7));
    this.nulls++;
  }

  addList(offset: number, length: number): void {
    if (4 * this.count === this.entries.length) this.grow(Math.max(64, 2 * this.count));
    this.entries[4 * this.count] = offset;
    this.entries[4 * this.count + 2] = length;
    this.count++;
  }

  clear(): void {
    if (this.nulls > 0) this.validity.fill(255);
    this.count = 0;
    this.nulls = 0;
  }
}

/** Rows of one column that wait to be written. */
export class ColumnBuffer {
  readonly spec: ColumnSpec;
  values: Storage;
  /** The values themselves, whose entries are not lists. */
  readonly leaf: LevelBuffer;
  /** Inner lists of depth 2; lists a row of depth 1 and 2. */
  readonly inner: LevelBuffer;
  readonly rows: LevelBuffer;
  #capacity: number;

  constructor(spec: ColumnSpec, capacity: number) {
    this.spec = spec;
    this.#capacity = capacity;
    this.values = allocate(spec.type, capacity);
    this.leaf = new LevelBuffer(capacity, false);
    this.inner = new LevelBuffer(spec.depth === 2 ? capacity : 0, true);
    this.rows = new LevelBuffer(spec.depth === 0 ? 0 : capacity, true);
  }

  /** A number, an index into the type's names, or epoch milliseconds. */
  push(value: number): void {
    const index = this.#next();
    if (this.spec.type.kind === 'timestamp') {
      const micros = value * 1000;
      this.values[2 * index] = micros % TWO_TO_32;
      this.values[2 * index + 1] = Math.floor(micros / TWO_TO_32);
    } else {
      this.values[index] = value;
    }
  }

  pushNull(): void {
    this.leaf.setNull(this.#next());
  }

  /** Ends an inner list of depth 2. */
  endInner(): void {
    this.#endList(this.inner, this.leaf.count);
  }

  /** Ends a row's list of depth 1 or 2. */
  endRow(): void {
    this.#endList(this.rows, this.spec.depth === 2 ? this.inner.count : this.leaf.count);
  }

  /** A row without a list. */
  nullRow(): void {
    this.endRow();
    this.rows.setNull(this.rows.count - 1);
  }

  clear(): void {
    this.leaf.clear();
    this.inner.clear();
    this.rows.clear();
  }

  #endList(level: LevelBuffer, end: number): void {
    const last = 4 * (level.count - 1);
    const start = level.count === 0 ? 0 : level.entries[last]! + level.entries[last + 2]!;
    level.addList(start, end - start);
  }

  #next(): number {
    const index = this.leaf.count++;
    if (index === this.#capacity) {
      this.#capacity *= 2;
      const values = allocate(this.spec.type, this.#capacity);
      values.set(this.values);
      this.values = values;
      this.leaf.grow(this.#capacity);
    }
    return index;
  }
}
