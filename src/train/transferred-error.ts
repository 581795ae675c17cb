import { ArtifactError, IoError, OnefoldError, TrainingError, type ErrorCode } from '../config/errors.js';
import { KernelError } from '../kernels/kernel-error.js';

/** An error as plain data: structured cloning between threads would lose its class and fields. */
export interface TransferredError {
  readonly code: ErrorCode;
  readonly message: string;
  readonly where: string | undefined;
  readonly expected: string | undefined;
  readonly fix: string | undefined;
  readonly stack: string | undefined;
}

/** Packs any error; those that are not ours become `internal`. */
export const packError = (error: unknown): TransferredError => {
  if (error instanceof KernelError) {
    return {
      code: 'training',
      message: error.message,
      where: error.column,
      expected: `ids from 0 to ${error.tableRows - 1}`,
      fix: 'Prepare the data and train the model with the same config.',
      stack: error.stack,
    };
  }
  const { message, stack } = error instanceof Error ? error : { message: String(error), stack: undefined };
  const details = error instanceof OnefoldError ? error : { code: 'internal' as const, where: undefined, expected: undefined, fix: undefined };
  return { code: details.code, message, where: details.where, expected: details.expected, fix: details.fix, stack };
};

/** The error again, of the class that its code belongs to where training throws it. */
export const unpackError = (packed: TransferredError): OnefoldError => {
  const details = {
    ...(packed.where === undefined ? {} : { where: packed.where }),
    ...(packed.expected === undefined ? {} : { expected: packed.expected }),
    ...(packed.fix === undefined ? {} : { fix: packed.fix }),
  };
  const classes = { training: TrainingError, artifact: ArtifactError, io: IoError } as const;
  const error =
    packed.code in classes
      ? new classes[packed.code as keyof typeof classes](packed.message, details)
      : new OnefoldError(packed.code, packed.message, details);
  // The stack of the thread that failed says more than that of the one that waited.
  if (packed.stack !== undefined) error.stack = packed.stack;
  return error;
};
