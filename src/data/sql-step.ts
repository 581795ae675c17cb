/** One SQL statement of preparing, whose failure says what was being done. */
import { explainCsvError } from './csv-error.js';
import { explainDuckDbError, quoteIdentifier, type Database } from './duckdb.js';

/**
 * Runs a statement.
 * @throws OnefoldError that names `where`
 */
export const runStep = async (database: Database, where: string, sql: string): Promise<void> => {
  try {
    await database.run(sql);
  } catch (error) {
    throw explainCsvError(error, where) ?? explainDuckDbError(error, { where });
  }
};

/**
 * Rows of a small result.
 * @throws OnefoldError that names `where`
 */
export const queryStep = async <T>(database: Database, where: string, sql: string): Promise<T[]> => {
  try {
    return await database.rows<T>(sql);
  } catch (error) {
    throw explainCsvError(error, where) ?? explainDuckDbError(error, { where });
  }
};

/** Quoted identifiers, comma-separated. */
export const identifierList = (names: readonly string[]): string => names.map(quoteIdentifier).join(', ');
