/** What went wrong while a graph was built, differentiated or emitted. */
export type GraphErrorCode = 'shape' | 'dtype' | 'name' | 'gradient' | 'emit';

/** The graph cannot be built as asked: a mistake in the code that builds it, not in a user's data. */
export class GraphError extends Error {
  readonly code: GraphErrorCode;

  constructor(code: GraphErrorCode, message: string) {
    super(message);
    this.name = 'GraphError';
    this.code = code;
  }
}
