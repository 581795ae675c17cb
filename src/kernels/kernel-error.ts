/** An encoded id points outside its table. */
export class KernelError extends Error {
  readonly code = 'id_out_of_range';
  /** Encoded column. */
  readonly column: string;
  /** Row of the batch's block. */
  readonly row: number;
  readonly id: number;
  readonly tableRows: number;

  constructor(column: string, row: number, id: number, tableRows: number) {
    super(
      `column "${column}", row ${row}: id ${id} is outside its embedding table of ${tableRows} rows (expected 0 to ${tableRows - 1})`,
    );
    this.name = 'KernelError';
    this.column = column;
    this.row = row;
    this.id = id;
    this.tableRows = tableRows;
  }
}

/** A kernel was called with arrays or settings that do not fit together: a bug of the caller, never of its data. */
export class KernelUseError extends Error {
  readonly code = 'kernel_use';

  constructor(message: string) {
    super(message);
    this.name = 'KernelUseError';
  }
}
